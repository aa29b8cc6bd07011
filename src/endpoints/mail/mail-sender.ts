// Hands mails to the operator's mail server by nodemailer, which is loaded with the first mail. Bounded in time;
// STARTTLS and a valid certificate are required unless the configuration says otherwise; the server's words are not
// kept.

import type { MailFailure } from '../../core/events/mail-failures.ts';
import type { Clock } from '../../core/ports/clock.ts';
import type { MailResult, MailSender } from '../../core/ports/events.ts';
import { htmlOf, textOf } from './render.ts';
import type { SmtpServer } from './smtp-settings.ts';
import { contentOf } from './words.ts';

/** To connect, until the greeting, and between two answers. */
const PHASE_MS = 15_000;
/** For one mail: a server that sends single bytes must not delay it forever. */
const TOTAL_MS = 60_000;
const MAX_ANSWER_BYTES = 16_384;
const NOT_CONFIGURED = 'needs NDS_SMTP_URL and NDS_SMTP_FROM, which are not set';

export interface MailSettings {
  readonly server: SmtpServer;
  /** Such as `nds@example.com`. */
  readonly from: string;
  /** Whether smtp:// must be encrypted. */
  readonly hasStartTls: boolean;
}

export interface MailSenderOptions {
  readonly clock: Clock;
  /** Absent if none is configured. */
  readonly settings: MailSettings | undefined;
  /** By which name the service is known, such as `nds.example.com`. */
  readonly instance?: string | undefined;
  /** PEM of authorities that are trusted instead of Node's own. */
  readonly ca?: string | undefined;
}

export function createMailSender(options: MailSenderOptions): MailSender {
  const { clock, settings, instance } = options;
  const inFlight = new Set<AbortController>();

  return {
    fault: settings === undefined ? NOT_CONFIGURED : undefined,

    async send({ to, id, mail }) {
      if (settings === undefined) return { verdict: 'failed', reason: 'smtp_not_configured' };
      const page = contentOf(mail);
      const { from } = settings;
      const total = new AbortController();
      inFlight.add(total);
      const limit = clock.after(TOTAL_MS, () => total.abort());
      try {
        const transport = await openTransport(settings, options.ca);
        const { response } = await transport.sendMail({
          from,
          to: { name: '', address: to },
          envelope: { from, to: [to] },
          // The same at each try, so that a repeated mail can be recognised.
          messageId: `<${id}@${from.slice(from.indexOf('@') + 1)}>`,
          date: new Date(clock.wallMs()),
          subject: `[nds${instance === undefined ? '' : ` ${instance}`}] ${page.subject}`,
          text: textOf(page, instance),
          html: htmlOf(page, instance),
          headers: { 'Auto-Submitted': 'auto-generated' },
          signal: total.signal,
        });
        return { verdict: 'delivered', status: Number(response.slice(0, 3)) };
      } catch (error) {
        return resultOf(error);
      } finally {
        limit.cancel();
        inFlight.delete(total);
      }
    },

    close() {
      for (const one of inFlight) one.abort();
    },
  };
}

async function openTransport({ server, hasStartTls }: MailSettings, ca: string | undefined) {
  const { createTransport } = await import('nodemailer');
  const { host, port, isSecure, user, password } = server;
  return createTransport({
    host,
    port,
    secure: isSecure,
    requireTLS: !isSecure && hasStartTls,
    ignoreTLS: !isSecure && !hasStartTls,
    auth: user === undefined ? undefined : { user, pass: password },
    connectionTimeout: PHASE_MS,
    greetingTimeout: PHASE_MS,
    socketTimeout: PHASE_MS,
    dnsTimeout: PHASE_MS,
    socketCloseTimeout: 0,
    maxResponseSize: MAX_ANSWER_BYTES,
    tls: { ca },
    allowInternalNetworkInterfaces: true,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
}

/** What nodemailer reports about a failure (its errors.js): which step, and what the server answered. */
function resultOf(error: unknown): MailResult {
  const { code, originalCode = '', command = '', responseCode } = readError(error);
  const status = responseCode;
  const isFinal = status !== undefined && status >= 500 && status < 600 && status !== 503;
  const failed = (reason: MailFailure): MailResult => ({ verdict: 'failed', status, reason });
  const judged = (reason: MailFailure): MailResult => {
    return { verdict: isFinal ? 'refused' : 'failed', status, reason };
  };
  if (code === 'EABORT' || code === 'ETIMEDOUT' || originalCode === 'ETIMEDOUT') {
    return failed('timeout');
  }
  if (/CERT|SELF_SIGNED|UNABLE_TO|ALTNAME/.test(originalCode)) return failed('bad_certificate');
  if (command === 'STARTTLS' && status !== undefined) return failed('no_starttls');
  if (code === 'ETLS' || /ERR_TLS|ERR_SSL/.test(originalCode)) return failed('tls_failed');
  if (code === 'EAUTH' || command.startsWith('AUTH')) return failed('login_refused');
  if (code === 'EDNS' || /ENOTFOUND|EAI_/.test(originalCode)) return failed('unknown_host');
  if (originalCode === 'ECONNREFUSED') return failed('connection_refused');
  if (status === 421 || code === 'ECONNECTION' || code === 'ESOCKET') {
    return failed('connection_lost');
  }
  if (command === 'MAIL FROM') return failed('sender_refused');
  if (command === 'RCPT TO') return judged('recipient_refused');
  if (command === 'DATA' && status !== undefined) return judged('mail_refused');
  return failed('bad_answer');
}

function readError(error: unknown): {
  readonly code: string;
  readonly originalCode?: string | undefined;
  readonly command?: string | undefined;
  readonly responseCode?: number | undefined;
} {
  const found = new Map<string, unknown>(error instanceof Error ? Object.entries(error) : []);
  const word = (name: string) => {
    const value = found.get(name);
    return typeof value === 'string' ? value : undefined;
  };
  const status = found.get('responseCode');
  return {
    code: word('code') ?? '',
    originalCode: word('originalCode'),
    command: word('command'),
    responseCode: typeof status === 'number' ? status : undefined,
  };
}
