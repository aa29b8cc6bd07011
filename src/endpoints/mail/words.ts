// What the mails say: a test, troubles, a digest, as pages that render.ts writes as text and as HTML. Never a token, the
// hash of one, or a payload.

import { EVENTS } from '../../core/events/catalogue.ts';
import type { DigestCount, Mail, Trouble } from '../../core/ports/events.ts';
import { storeRemedy } from '../../core/store-remedies.ts';

/** Rows of a digest; all further kinds share one more row. */
const MAX_ROWS = 60;
const HOUR_MS = 3_600_000;
const PROVIDERS: Readonly<Record<string, string>> = {
  apns: 'APNs',
  apns_sandbox: 'The sandbox of APNs',
  fcm: 'FCM',
};

export interface Section {
  readonly title: string;
  readonly lines?: readonly string[];
  readonly rows?: readonly (readonly [what: string, why: string, count: string])[];
}

export interface MailContent {
  readonly subject: string;
  readonly sections: readonly Section[];
}

export function contentOf(mail: Mail): MailContent {
  switch (mail.kind) {
    case 'test':
      return {
        subject: 'test mail',
        sections: [{ title: 'Test mail', lines: ['Somebody tested this e-mail endpoint.'] }],
      };
    case 'alert': {
      const sections = mail.troubles.map(sectionOf);
      const [{ title } = { title: 'trouble' }, ...others] = sections;
      const more = others.length === 0 ? '' : `, and ${others.length} more`;
      return { subject: `${title}${more}`, sections };
    }
    case 'digest':
      return digestContent(mail.period, mail.counts);
  }
}

function sectionOf(trouble: Trouble): Section {
  const { type, atMs, endedAtMs, app = '', reason = 'unknown', endpointId = '' } = trouble;
  const provider = PROVIDERS[trouble.provider ?? ''] ?? 'A provider';
  const times = endedAtMs === undefined ? `Since ${utc(atMs)}` : span(atMs, endedAtMs);
  const when = `${times}: ${reason}.`;
  switch (type) {
    case 'provider.down': {
      const next = 'Pushes wait and are tried again. Look at /readyz, or run nds doctor.';
      const lines = [when, endedAtMs === undefined ? next : 'It works again.'];
      return { title: `${provider} fails for app ${app}`, lines };
    }
    case 'provider.misconfigured': {
      const next =
        'No push of this app gets there until key, topic, environment and project are right: run nds doctor.';
      const lines = [when, endedAtMs === undefined ? next : 'It works again.'];
      return { title: `${provider} refuses the credentials of app ${app}`, lines };
    }
    case 'endpoint.disabled': {
      const cause = reason === 'gone' ? 'it answered 410' : 'it failed for five days';
      return {
        title: `Endpoint ${endpointId} was disabled`,
        lines: [
          `At ${utc(atMs)}: ${cause}. It gets no more events.`,
          'When it works again, enable it: PATCH /api/v1/endpoints/:id with {"status":"enabled"}.',
        ],
      };
    }
    case 'mail.endpoint_failing': {
      const hours = Math.floor((trouble.failingForMs ?? 0) / HOUR_MS);
      return {
        title: `Endpoint ${endpointId} has taken no event for ${hours} h`,
        lines: [
          `At ${utc(atMs)}: ${reason}.`,
          'It is tried about once an hour, and disabled after five days. Events are kept for a day.',
        ],
      };
    }
    case 'mail.store_failed':
      return {
        title: `The database fails: ${reason}`,
        lines: [
          `Since ${utc(atMs)}: ${storeRemedy(reason)}.`,
          'Pushes still go out, but the log does not have them.',
        ],
      };
    default: {
      const about = [app && `app ${app}`, trouble.deliveryId && `delivery ${trouble.deliveryId}`];
      const lines = [`At ${utc(atMs)}: ${reason}.`, about.filter(Boolean).join(', ')];
      return { title: type, lines };
    }
  }
}

function digestContent(period: 'hourly' | 'daily', counts: readonly DigestCount[]): MailContent {
  const total = sumOf(counts);
  const fromMs = Math.min(...counts.map((one) => one.fromMs));
  const toMs = Math.max(...counts.map((one) => one.toMs));
  const events = total === 1 ? '1 event' : `${number(total)} events`;
  const shown = [...counts].toSorted((a, b) => b.count - a.count).slice(0, MAX_ROWS);
  const rest = counts.filter((one) => !shown.includes(one));
  const byApp = Map.groupBy(shown, ({ app = '' }) => app);
  const sections = [...byApp]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([app, ofApp]) => {
      const title = app === '' ? 'All apps' : `App ${app}`;
      const rows = ofApp.map(
        ({ type, reason = '', count }) => [type, reason, number(count)] as const,
      );
      return { title, rows };
    });
  const further: Section = {
    title: 'Further kinds',
    rows: [[`${rest.length} kinds`, '', number(sumOf(rest))]],
  };
  const types = new Set(counts.map(({ type }) => type));
  const meanings = [...types]
    .toSorted()
    .map((type) => `${type}: ${EVENTS[type].when.replaceAll('`', '')}`);
  return {
    subject: `${period} digest: ${events}`,
    sections: [
      { title: `${events}, ${span(fromMs, toMs)}` },
      ...sections,
      ...(rest.length === 0 ? [] : [further]),
      { title: 'What they mean', lines: meanings },
    ],
  };
}

function sumOf(counts: readonly DigestCount[]): number {
  return counts.reduce((sum, { count }) => sum + count, 0);
}

function number(value: number): string {
  return value.toLocaleString('en');
}

function span(fromMs: number, toMs: number): string {
  return `${utc(fromMs).replace(' UTC', '')} to ${utc(toMs)}`;
}

/** Such as `2026-11-26 03:00 UTC`. */
function utc(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
