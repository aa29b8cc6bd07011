// Mails to servers that take them, refuse them, hang or lie: which outcome each one is, and that each attempt ends.

import { createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { sharedIdentity } from '../../../sandbox/identity.ts';
import { createMailSender } from '../../../src/endpoints/mail/mail-sender.ts';
import { portOf } from '../../support/event-receiver.ts';
import { MAIL_PASSWORD, refusal, startMailbox } from '../../support/mailbox.ts';
import { ManualClock } from '../../support/manual-clock.ts';

interface To {
  readonly port: number;
  readonly host?: string;
  readonly isSecure?: boolean;
  readonly hasStartTls?: boolean;
  readonly password?: string;
  /** Whether the authority of the mailbox is trusted. */
  readonly trusts?: boolean;
}

async function setup({ port, trusts = true, hasStartTls = true, ...to }: To) {
  const { ca } = await sharedIdentity();
  const clock = new ManualClock();
  const { host = '127.0.0.1', isSecure = false, password } = to;
  const user = password === undefined ? undefined : 'nds';
  const sender = createMailSender({
    clock,
    ca: trusts ? ca : undefined,
    settings: {
      server: { host, port, isSecure, user, password },
      from: 'nds@example.com',
      hasStartTls,
    },
  });
  onTestFinished(() => sender.close());
  const mail = { kind: 'test' } as const;
  return { clock, sender, send: () => sender.send({ to: 'ops@example.com', id: 'evt_1', mail }) };
}

const send = async (to: To) => await (await setup(to)).send();
const PLAIN = { hasStartTls: false };

/** A server that gives these answers, the first one as its greeting, and then closes. */
async function scripted(answers: readonly string[], heard: string[] = []): Promise<number> {
  const server = createServer((socket) => {
    const rest = [...answers];
    const next = () => {
      const answer = rest.shift();
      if (answer === undefined) socket.end();
      else socket.write(answer);
    };
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      heard.push(chunk.toString());
      next();
    });
    next();
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  onTestFinished(() => {
    server.close();
  });
  return portOf(server);
}

test('encrypts by STARTTLS, and logs in', async () => {
  const { port, mails } = await startMailbox({ disabledCommands: [] });
  const result = await send({ port, password: MAIL_PASSWORD });
  expect(result).toEqual({ verdict: 'delivered', status: 250 });
  expect(mails).toMatchObject([
    { to: ['ops@example.com'], from: 'nds@example.com', isEncrypted: true, user: 'nds' },
  ]);
  const headers = mails[0]?.headers;
  expect(headers?.get('auto-submitted')).toBe('auto-generated');
  expect(headers?.get('message-id')).toBe('<evt_1@example.com>');
  expect(mails[0]?.raw).not.toContain(MAIL_PASSWORD);
});

test('a name that contains a line break adds no header and no recipient', async () => {
  const { port, mails } = await startMailbox();
  const { sender } = await setup({ port, ...PLAIN });
  const app = 'a\r\nBcc: x@evil.example\r\n\r\nbody';
  const trouble = { type: 'provider.down', atMs: 0, app, provider: 'fcm' } as const;
  const mail = { kind: 'alert', troubles: [trouble] } as const;
  const result = await sender.send({ to: 'ops@example.com', id: 'evt_1', mail });
  expect(result.verdict).toBe('delivered');
  expect(mails[0]?.to).toEqual(['ops@example.com']);
  expect([...(mails[0]?.headers.keys() ?? [])].toSorted()).toEqual([
    ...['auto-submitted', 'content-type', 'date', 'from', 'message-id', 'mime-version'],
    ...['subject', 'to'],
  ]);
});

test('speaks TLS from the start with smtps, and only plain text if configured so', async () => {
  const secure = await startMailbox({ secure: true, disabledCommands: [] });
  const result = await send({ port: secure.port, isSecure: true });
  expect(result.verdict).toBe('delivered');
  expect(secure.mails[0]?.isEncrypted).toBe(true);
  const open = await startMailbox({ disabledCommands: [] });
  expect((await send({ port: open.port, ...PLAIN })).verdict).toBe('delivered');
  expect(open.mails[0]?.isEncrypted).toBe(false);
});

test('sends nothing in plain text if STARTTLS is missing, and nothing to a false certificate', async () => {
  const without = await startMailbox();
  expect(await send({ port: without.port, password: MAIL_PASSWORD })).toMatchObject({
    verdict: 'failed',
    reason: 'no_starttls',
  });
  const hidden = await startMailbox({ disabledCommands: [], hideSTARTTLS: true });
  expect((await send({ port: hidden.port })).verdict).toBe('delivered');
  expect(hidden.mails[0]?.isEncrypted).toBe(true);
  for (const isSecure of [false, true]) {
    const box = await startMailbox({ secure: isSecure, disabledCommands: [] });
    const result = await send({ port: box.port, isSecure, trusts: false });
    expect(result).toEqual({ verdict: 'failed', status: undefined, reason: 'bad_certificate' });
    expect(box.mails).toEqual([]);
  }
  expect(without.mails).toEqual([]);
});

test('sends no password to a server that offers a login but no STARTTLS', async () => {
  const heard: string[] = [];
  const answers = [
    '220 hi\r\n',
    '250-hi\r\n250 AUTH PLAIN LOGIN\r\n',
    '454 no TLS\r\n',
    '250 ok\r\n',
  ];
  const port = await scripted(answers, heard);
  expect(await send({ port, password: MAIL_PASSWORD })).toMatchObject({ reason: 'no_starttls' });
  expect(heard.join('')).toMatch(/^EHLO [^\r\n]+\r\nSTARTTLS\r\n/);
  expect(heard.join('')).not.toContain('AUTH');
});

test('only a permanent refusal of the recipient or the mail counts as final', async () => {
  const box = await startMailbox();
  const to = { port: box.port, ...PLAIN };
  const refuse = async (step: 'recipient' | 'mail', status: number) => {
    box.judge = (at) => {
      if (at === step) throw refusal(status);
    };
    return await send(to);
  };
  expect(await refuse('recipient', 550)).toEqual({
    verdict: 'refused',
    status: 550,
    reason: 'recipient_refused',
  });
  expect(await refuse('mail', 554)).toMatchObject({ verdict: 'refused', reason: 'mail_refused' });
  expect(await refuse('recipient', 450)).toMatchObject({ verdict: 'failed', status: 450 });
  expect(await refuse('mail', 452)).toMatchObject({ verdict: 'failed', reason: 'mail_refused' });

  const login = await startMailbox({ disabledCommands: [] });
  const wrong = { port: login.port, password: 'not the password' };
  expect(await send(wrong)).toMatchObject({
    verdict: 'failed',
    status: 535,
    reason: 'login_refused',
  });
  const sender = await startMailbox({
    onMailFrom: (_address, _session, done) => done(refusal(553)),
  });
  expect(await send({ port: sender.port, ...PLAIN })).toMatchObject({
    verdict: 'failed',
    reason: 'sender_refused',
  });
});

test('names the fault of a server that is no mail server, or lies', async () => {
  const reasonOf = async (answers: readonly string[], to: Partial<To> = PLAIN) => {
    const { verdict, reason } = await send({ port: await scripted(answers), ...to });
    expect(verdict).toBe('failed');
    return reason;
  };
  const ok = '250 ok\r\n';
  expect(await reasonOf([])).toBe('connection_lost');
  // 250 as the answer to DATA, and closed before the mail was taken.
  expect(await reasonOf(['220 hi\r\n', ok, ok, ok, ok])).toBe('connection_lost');
  expect(await reasonOf(['421 busy\r\n'])).toBe('connection_lost');
  expect(await reasonOf(['HTTP/1.1 400 Bad Request\r\n\r\n'])).toBe('bad_answer');
  expect(await reasonOf(['554 not you\r\n'])).toBe('bad_answer');
  expect(await reasonOf([`220-${'x'.repeat(100_000)}`])).toBe('bad_answer');
  const lie = ['220 hi\r\n', '250-hi\r\n250 STARTTLS\r\n', '220 go\r\n', 'no TLS at all'];
  expect(await reasonOf(lie, {})).toBe('tls_failed');
  expect(await reasonOf(['220 hi\r\n'], { isSecure: true })).toBe('tls_failed');
  const unused = { port: 1, ...PLAIN };
  expect((await send(unused)).reason).toBe('connection_refused');
  expect((await send({ ...unused, host: 'no-such-host.invalid' })).reason).toBe('unknown_host');
});

test('gives up a server that hangs or is slow after a minute, and at once when the service stops', async () => {
  const arrived = Promise.withResolvers<void>();
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', () => {
      socket.write('250-', () => arrived.resolve());
    });
    socket.write('220 hi\r\n');
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  onTestFinished(() => {
    server.close();
  });
  const { clock, sender, send } = await setup({ port: portOf(server), ...PLAIN });
  const sending = send();
  await arrived.promise;
  clock.advance(59_999);
  expect(clock.timers).toBe(1);
  clock.advance(1);
  // The library's own limits use real time, and would end it, too.
  expect(clock.timers).toBe(0);
  expect(await sending).toEqual({ verdict: 'failed', status: undefined, reason: 'timeout' });
  const again = send();
  sender.close();
  expect((await again).verdict).toBe('failed');
});

test('says what is missing if no mail server is configured', async () => {
  const sender = createMailSender({ clock: new ManualClock(), settings: undefined });
  expect(sender.fault).toContain('NDS_SMTP_URL');
  const result = await sender.send({ to: 'ops@example.com', id: 'evt_1', mail: { kind: 'test' } });
  expect(result).toEqual({ verdict: 'failed', reason: 'smtp_not_configured' });
});
