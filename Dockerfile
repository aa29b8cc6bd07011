# The service alone: production dependencies, no build step, no root.
FROM node:24-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --omit=optional --ignore-scripts

FROM node:24-slim
WORKDIR /app
ENV NODE_ENV=production
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json LICENSE ./
COPY bin ./bin
COPY drizzle ./drizzle
COPY src ./src
RUN mkdir /data /cache && chown node:node /data /cache
ENV NDS_DATABASE=/data/nds.sqlite
# Compiled code from the first start on.
ENV NODE_COMPILE_CACHE=/cache
USER node
EXPOSE 8080
# On a small machine V8 would choose a young generation of 1 MB, at which a push costs half as much again.
CMD ["node", "--max-semi-space-size=16", "bin/nds.js", "serve"]
