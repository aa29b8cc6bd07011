// The apps with what is known about their keys, and for each caller its URL and a `curl` line to try it.

import { html } from 'hono/html';
import { badge, copyButton, type Html } from './elements.ts';

export interface ShownApp {
  readonly name: string;
  readonly providers: readonly {
    readonly name: string;
    readonly environment?: string | undefined;
    readonly status: string;
    readonly detail?: string | undefined;
    readonly proofs: readonly ShownProof[];
  }[];
}

/** What a provider last said about one key. */
export interface ShownProof {
  readonly isProven: boolean;
  readonly text: string;
}

export interface CallerUrl {
  readonly door: string;
  readonly caller: string;
  readonly url: string;
  /** Of the signature. */
  readonly headers: readonly string[];
  /** A body, as JSON. */
  readonly example: string;
}

export interface CallersParts {
  readonly apps: readonly ShownApp[];
  readonly urls: readonly CallerUrl[];
  readonly hasUrl: boolean;
}

export function renderCallers({ apps, urls, hasUrl }: CallersParts): Html {
  return html`<h1>Apps and callers</h1>
<ul class="cards">${apps.map((app) => html`<li class="card"><h2>${app.name}</h2>${app.providers.map(renderProvider)}</li>`)}</ul>
<h2>Webhook URLs</h2>
${hasUrl ? '' : html`<p class="trouble">NOTIFY_EXTERNAL_URL is not set: replace the address.</p>`}
<p>TOKEN is the push token of the phone. HANDLE is issued when a device is registered, another one for each of these URLs.</p>
<ul class="cards">${urls.map((url) => html`<li class="card">${renderUrl(url)}</li>`)}</ul>`;
}

function renderProvider({
  name,
  environment,
  status,
  detail,
  proofs,
}: ShownApp['providers'][number]) {
  return html`<p>${badge(status)} ${name}${environment === undefined ? '' : `, ${environment}`}</p>${detail === undefined ? '' : html`<p>${detail}</p>`}
${proofs.length === 0 ? html`<p class="fine">Its keys were not checked since the start: run nds doctor.</p>` : proofs.map(({ isProven, text }) => html`<p class="fine"><b class="badge ${isProven ? 'good' : 'bad'}">${isProven ? 'proven' : 'not proven'}</b> ${text}</p>`)}`;
}

function renderUrl({ door, caller, url, headers, example }: CallerUrl): Html {
  const signed = headers.map((header) => ` \\\n  -H '${header}: …'`).join('');
  const curl = `curl -i '${url}'${signed} \\\n  -H 'content-type: application/json' \\\n  -d '${example}'`;
  return html`<h3>${door}</h3><p class="fine">${caller}</p><p><code>${url}</code> ${copyButton('Copy', url)}</p><pre>${curl}</pre>${copyButton('Copy curl', curl)}`;
}
