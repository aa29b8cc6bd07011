// The description of the API as one page without scripts, so that it works offline and under a strict policy.

import { html } from 'hono/html';
import type { oas31 } from 'zod-openapi';
import { ERRORS } from '../../core/errors.ts';
import type { ApiDocument } from './document.ts';
import { fieldsOf, type Html, isReference, prose, type Schema, typeOf } from './schema-html.ts';

const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const;

interface Operation extends oas31.OperationObject {
  readonly method: string;
  readonly path: string;
}

export async function renderPage(document: ApiDocument): Promise<string> {
  const { info, tags = [], components } = document;
  const operations = operationsOf(document);
  const sections = tags.map((tag) => ({
    tag,
    operations: operations.filter((operation) => operation.tags?.includes(tag.name)),
  }));
  const schemas = Object.entries(components?.schemas ?? {});
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${info.title}: API</title>
        <link rel="icon" href="data:," />
        <link rel="stylesheet" href="/docs/style.css" />
      </head>
      <body>
        <header>
          <h1>${info.title}</h1>
          <p>Version ${info.version} · <a href="/openapi.json">openapi.json</a> (OpenAPI 3.1)</p>
          ${(info.description ?? '').split('\n\n').map((text) => html`<p>${prose(text)}</p>`)}
        </header>
        <nav>
          ${sections.map(
            (section) => html`<h2>${section.tag.name}</h2>
              <ul>
                ${section.operations.map((operation) => link(operation))}
              </ul>`,
          )}
        </nav>
        <main>
          ${sections.map(
            (section) => html`<h2>${section.tag.name}</h2>
              <p>${section.tag.description ?? ''}</p>
              ${section.operations.map((operation) => describe(operation))}`,
          )}
          <h2>schemas</h2>
          ${schemas.map(
            ([name, schema]) => html`<section id="schema-${name}">
              <h3>${name}</h3>
              ${fieldsOf(schema)}
            </section>`,
          )}
          <h2>codes</h2>
          <dl class="codes">
            ${Object.entries(ERRORS).map(
              ([code, { status, title, remedy }]) => html`<dt id="code-${code}">${code}</dt>
                <dd>${status}, ${title}. ${prose(remedy)}</dd>`,
            )}
          </dl>
        </main>
      </body>
    </html>`;
  return String(await page);
}

function operationsOf({ paths = {} }: ApiDocument): readonly Operation[] {
  return Object.entries(paths).flatMap(([path, item]) =>
    METHODS.flatMap((method) => {
      const operation = item[method];
      return operation === undefined ? [] : [{ ...operation, method: method.toUpperCase(), path }];
    }),
  );
}

function link({ operationId = '', method, path }: Operation): Html {
  return html`<li><a href="#${operationId}"><b>${method}</b> ${breakable(path)}</a></li>`;
}

/** Long paths may break before a slash. */
function breakable(path: string): Html {
  return html`${path.split('/').map((part, index) => (index === 0 ? part : html`<wbr />/${part}`))}`;
}

function describe(operation: Operation): Html {
  const { operationId = '', method, path, summary = '', description, security } = operation;
  const needed = (security ?? []).flatMap((one) => Object.values(one).flat());
  const isOpen = security?.some((one) => Object.keys(one).length === 0) ? ', or none' : '';
  return html`<section id="${operationId}">
    <h3><b>${method}</b> ${breakable(path)}</h3>
    <p><strong>${summary}.</strong> ${prose(description ?? '')}</p>
    ${needed.length === 0 ? '' : html`<p>Needs a key: ${needed.join(', ')}${isOpen}.</p>`}
    ${parametersOf(operation)} ${bodyOf(operation)} ${answersOf(operation)}
  </section>`;
}

function parametersOf({ parameters = [] }: Operation): Html {
  const rows = parameters.flatMap((parameter) => (isReference(parameter) ? [] : [parameter]));
  if (rows.length === 0) return html``;
  return html`<h4>Parameters</h4>
    <ul>
      ${rows.map(
        (row) => html`<li>
          <code>${row.name}</code> <i>${row.in}${row.required === true ? '' : ', optional'}</i>
          ${typeOf(row.schema ?? {})} ${row.description ? html`– ${prose(row.description)}` : ''}
        </li>`,
      )}
    </ul>`;
}

function bodyOf({ requestBody }: Operation): Html {
  if (requestBody === undefined || isReference(requestBody)) return html``;
  const [media] = Object.values(requestBody.content);
  if (media === undefined) return html``;
  const examples = [media.example, ...Object.values(media.examples ?? {}).map(exampleOf)];
  return html`<h4>Body</h4>
    ${requestBody.description ? html`<p>${prose(requestBody.description)}</p>` : ''}
    ${shape(media.schema ?? {})}
    ${examples
      .filter((value) => value !== undefined)
      .map((value) => html`<pre>${JSON.stringify(value, null, 2)}</pre>`)}`;
}

function exampleOf(example: oas31.ExampleObject | oas31.ReferenceObject): unknown {
  return isReference(example) ? undefined : example.value;
}

function shape(schema: Schema): Html {
  if (Object.keys(schema).length === 0) return html``;
  const isNamed = isReference(schema) || schema.properties === undefined;
  return html`${isNamed ? html`<p>${typeOf(schema)}</p>` : ''}${fieldsOf(schema)}`;
}

function answersOf({ responses = {} }: Operation): Html {
  const answers = Object.entries<oas31.ResponseObject>(responses);
  return html`<h4>Answers</h4>
    <dl>
      ${answers.map(([status, answer]) => {
        const isRefusal = answer.content?.['application/problem+json'] !== undefined;
        if (isRefusal) return html`<dt>${status}</dt><dd>${codesIn(answer.description)}</dd>`;
        const [media] = Object.values(answer.content ?? {});
        return html`<dt>${status}</dt>
          <dd>${prose(answer.description)} ${shape(media?.schema ?? {})}</dd>`;
      })}
    </dl>`;
}

/** The codes of a refusal, which the end of the page explains. */
function codesIn(description: string): Html {
  const codes = [...description.matchAll(/^`(\w+)`:/gm)].map(([, code = '']) => code);
  return html`${codes.map(
    (code, index) => html`${index > 0 ? ', ' : ''}<a href="#code-${code}">${code}</a>`,
  )}`;
}
