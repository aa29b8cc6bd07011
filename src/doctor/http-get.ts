// One GET over a connection of its own, for the checks that look at the network: Google's clock, our own address.

import { Agent as HttpAgent, request as requestHttp } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import type { SecureContext } from 'node:tls';
import type { Clock } from '../core/ports/clock.ts';
import { withoutUndefined } from '../core/without-undefined.ts';
import { type ProxyOptions, proxyFor } from '../providers/http2/proxy.ts';
import { connectFailureOf } from '../providers/http2/transport-failures.ts';

export interface GetOptions extends ProxyOptions {
  readonly clock: Clock;
  /** Made by `trustAlso`; `undefined` is Node's default. */
  readonly authorities?: SecureContext | undefined;
}

export type GetResult =
  | { readonly status: number; readonly date: string | undefined; readonly body: string }
  | { readonly failure: string };

const TIMEOUT_MS = 5_000;
/** The answer of `/healthz` has 20 bytes; more is another program's page. */
const MAX_BODY_CHARACTERS = 1_000;

/** Never rejects; `failure` is a reason of our own tables. Follows no redirect. */
export function httpGet(url: URL, options: GetOptions): Promise<GetResult> {
  const { promise, resolve } = Promise.withResolvers<GetResult>();
  const proxy = proxyFor(url, options);
  const proxyEnv = proxy && { HTTPS_PROXY: proxy.href, HTTP_PROXY: proxy.href };
  const secureContext = options.authorities;
  const request =
    url.protocol === 'https:'
      ? requestHttps(url, { agent: new HttpsAgent(withoutUndefined({ proxyEnv, secureContext })) })
      : requestHttp(url, { agent: new HttpAgent(withoutUndefined({ proxyEnv })) });
  const timer = options.clock.after(TIMEOUT_MS, () => {
    resolve({ failure: 'timeout' });
    request.destroy();
  });
  const end = (result: GetResult) => {
    timer.cancel();
    resolve(result);
    request.destroy();
  };
  request.on('error', (error) => end({ failure: connectFailureOf(error) }));
  request.on('response', (response) => {
    let body = '';
    const answer = () =>
      end({ status: response.statusCode ?? 0, date: response.headers.date, body });
    response.setEncoding('utf8').on('data', (text: string) => {
      body += text;
      if (body.length > MAX_BODY_CHARACTERS) answer();
    });
    response.on('end', answer);
    response.on('error', (error) => end({ failure: connectFailureOf(error) }));
  });
  request.end();
  return promise;
}
