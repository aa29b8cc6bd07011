// A mail server on loopback, by smtp-server: keeps the mails that it takes, and refuses as a test wants.

import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { onTestFinished } from 'vitest';
import { sharedIdentity } from '../../sandbox/identity.ts';
import { portOf } from './event-receiver.ts';

export interface ReceivedMail {
  readonly to: readonly string[];
  readonly from: string;
  readonly isEncrypted: boolean;
  readonly user: string | undefined;
  /** By their names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly text: string;
  readonly html: string;
  readonly raw: string;
}

export interface Mailbox {
  readonly port: number;
  readonly mails: ReceivedMail[];
  /** Throws to refuse a recipient or a mail: `refusal(550)`. */
  judge: (step: 'recipient' | 'mail') => void;
  /** Resolves when this many mails came in total. */
  wait(count: number): Promise<readonly ReceivedMail[]>;
}

export const MAIL_PASSWORD = 'a password of the mailbox';

export function refusal(responseCode: number): Error {
  return Object.assign(new Error('the mailbox was told to refuse'), { responseCode });
}

/** Without STARTTLS and login by default. */
export async function startMailbox(options: SMTPServerOptions = {}): Promise<Mailbox> {
  const { certificate, certificateKey } = await sharedIdentity();
  const mails: ReceivedMail[] = [];
  let waiting: { readonly count: number; readonly resolve: () => void }[] = [];
  const judged = (step: 'recipient' | 'mail', done: (error?: Error | null) => void) => {
    try {
      mailbox.judge(step);
      done();
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)));
    }
  };
  const server = new SMTPServer({
    cert: certificate,
    key: certificateKey,
    logger: false,
    disableReverseLookup: true,
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    onAuth: ({ username, password }, _session, done) => {
      if (password === MAIL_PASSWORD) done(null, { user: username });
      else done(refusal(535));
    },
    onRcptTo: (_address, _session, done) => judged('recipient', done),
    onData: (stream, session, done) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const raw = Buffer.concat(chunks).toString();
        judged('mail', (error) => {
          if (error) return done(error);
          const { mailFrom, rcptTo } = session.envelope;
          mails.push({
            ...partsOf(raw),
            raw,
            to: rcptTo.map(({ address }) => address),
            from: mailFrom === false ? '' : mailFrom.address,
            isEncrypted: session.secure,
            user: session.user === undefined ? undefined : String(session.user),
          });
          done();
          for (const { count, resolve } of waiting) if (mails.length >= count) resolve();
          waiting = waiting.filter(({ count }) => mails.length < count);
        });
      });
    },
    ...options,
  });
  // A client may break the connection.
  server.on('error', () => undefined);
  const listening = await new Promise<ReturnType<SMTPServer['listen']>>((resolve) => {
    const opened = server.listen(0, '127.0.0.1', () => resolve(opened));
  });
  onTestFinished(async () => {
    await new Promise<void>((resolve) => {
      server.close(resolve);
      for (const connection of server.connections) connection.close();
    });
  });
  const mailbox: Mailbox = {
    port: portOf(listening),
    mails,
    judge: () => undefined,
    wait: async (count) => {
      if (mails.length < count) {
        await new Promise<void>((resolve) => waiting.push({ count, resolve }));
      }
      return mails;
    },
  };
  return mailbox;
}

function partsOf(raw: string): Pick<ReceivedMail, 'headers' | 'text' | 'html'> {
  const { headers } = split(raw);
  const boundary = /boundary="([^"]+)"/.exec(headers.get('content-type') ?? '')?.[1] ?? '';
  const parts = raw
    .split(`--${boundary}`)
    .slice(1, -1)
    .map((part) => split(part.trimStart()));
  const ofType = (type: string) => {
    const part = parts.find((one) => one.headers.get('content-type')?.startsWith(type));
    return part === undefined ? '' : decode(part.body, part.headers);
  };
  return { headers, text: ofType('text/plain'), html: ofType('text/html') };
}

function split(raw: string) {
  const end = raw.indexOf('\r\n\r\n');
  const unfolded = raw.slice(0, end).replaceAll(/\r\n[ \t]+/g, ' ');
  const headers = new Map(
    unfolded.split('\r\n').map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  return { headers, body: raw.slice(end + 4) };
}

function decode(body: string, headers: ReadonlyMap<string, string>): string {
  const encoding = headers.get('content-transfer-encoding');
  if (encoding === 'base64') return Buffer.from(body, 'base64').toString();
  if (encoding !== 'quoted-printable') return body.replaceAll('\r\n', '\n');
  const bytes = body
    .replaceAll('=\r\n', '')
    .replaceAll(/=([0-9A-F]{2})/g, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );
  return Buffer.from(bytes, 'latin1').toString().replaceAll('\r\n', '\n');
}
