// E-mail endpoints as an operator uses them: registered over HTTP, with mails that a real mail server takes.

import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import {
  attemptsAnswer,
  endpointAnswer,
  listEndpointsAnswer,
  sentAnswer,
} from '../../../src/http/operator/endpoints.ts';
import { DAY, HOUR, iosToken, SECOND, setupDriven } from '../../support/driven-service.ts';
import { startReceiver } from '../../support/event-receiver.ts';
import { type Mailbox, type ReceivedMail, refusal, startMailbox } from '../../support/mailbox.ts';
import { OPERATOR_ENVIRONMENT, operate, told } from '../../support/operator-calls.ts';
import { ANDROID_TOKEN, type Setup, type SetupOptions, setup } from '../../support/service.ts';

const HASH = 'ab'.repeat(32);
const OPS = 'ops@vendor.example';
const USER_AND_PASSWORD = 'nds:never-to-be-seen';

function environmentOf({ port }: Pick<Mailbox, 'port'>) {
  return {
    ...OPERATOR_ENVIRONMENT,
    NDS_ENDPOINT_NETWORKS: '127.0.0.0/8',
    NDS_SMTP_URL: `smtp://127.0.0.1:${port}`,
    NDS_SMTP_FROM: 'nds@vendor.example',
    NDS_SMTP_STARTTLS: 'off',
  };
}

async function start(options: Omit<SetupOptions, 'clock'> = {}) {
  const mailbox = await startMailbox();
  const environment = { ...environmentOf(mailbox), ...options.environment };
  const driven = await setupDriven({ ...options, environment });
  return {
    ...driven,
    mailbox,
    /**
     * Waits until everything that happened is recorded, lets e-mail endpoints look for it, and gives mails time to
     * arrive.
     */
    look: async () => {
      await driven.running.service.settled();
      await driven.elapse(10 * SECOND, SECOND);
    },
  };
}

async function create(running: Setup, body: object) {
  const answer = await operate(running, { method: 'POST', path: '/endpoints', body });
  return endpointAnswer.parse(told(answer));
}

function post(running: Setup, path: string, body: object = {}) {
  return operate(running, { method: 'POST', path: `/endpoints/${path}`, body });
}

function subjects(mails: readonly ReceivedMail[]): readonly (string | undefined)[] {
  return mails.map(({ headers }) => headers.get('subject'));
}

test('an e-mail endpoint has no secret, a digest, and gets a test mail at once', async () => {
  const { running, mailbox } = await start();
  const made = await create(running, { email: OPS });
  expect(made).toMatchObject({ url: OPS, email: OPS, digest: 'daily', status: 'enabled' });
  expect(made.secret).toBeUndefined();
  const byUrl = await create(running, { url: OPS, digest: 'hourly', enabled_events: ['*'] });
  expect(byUrl).toMatchObject({ email: OPS, digest: 'hourly' });

  const sent = sentAnswer.parse(told(await post(running, `${made.id}/test`)));
  expect(sent).toMatchObject({ outcome: 'delivered', status: 250 });
  const [mail] = await mailbox.wait(1);
  expect(mail).toMatchObject({ to: [OPS], from: 'nds@vendor.example' });
  expect(mail?.headers.get('subject')).toBe('[nds nds.example.com] test mail');
  expect(mail?.headers.get('message-id')).toBe(`<${sent.event}@vendor.example>`);
  const path = `/endpoints/${made.id}/attempts`;
  const { attempts } = attemptsAnswer.parse(told(await operate(running, { path })));
  expect(attempts).toMatchObject([{ type: 'test.ping', outcome: 'delivered', status: 250 }]);

  for (const [action, body] of [
    ['secret/rotate', {}],
    ['redeliver', { since: '1h' }],
  ] as const) {
    const refused = await post(running, `${made.id}/${action}`, body);
    expect(refused.status).toBe(409);
    expect(refused.text).toContain('email_endpoint');
  }
});

test('says which settings do not fit together, and what is missing to send mails', async () => {
  const { running } = await start();
  const { id } = await create(running, { email: OPS });
  const refusalOf = async (body: object, path = '', method = 'POST') => {
    const answer = await operate(running, { method, path: `/endpoints${path}`, body });
    expect(answer.status).toBe(400);
    return answer.text;
  };
  const both = { url: 'https://vendor.example/nds', email: OPS };
  expect(await refusalOf(both)).toContain('`email` in its place');
  expect(await refusalOf({})).toContain('`email` in its place');
  expect(await refusalOf({ url: both.url, digest: 'daily' })).toContain('e-mail address only');
  expect(await refusalOf({ email: OPS, digest: 'weekly' })).toContain('must be hourly or daily');
  for (const email of [
    'ops',
    'a@b@c',
    'ops@vendor.example, x@evil.example',
    'o\r\nBcc: x@y',
    '"a b"@c',
  ]) {
    expect(await refusalOf({ email })).toContain('must be an e-mail address');
  }
  expect(await refusalOf({ url: both.url }, `/${id}`, 'PATCH')).toContain('must stay an e-mail');
  const changed = await operate(running, {
    method: 'PATCH',
    path: `/endpoints/${id}`,
    body: { email: 'night@vendor.example', digest: 'hourly' },
  });
  expect(told(changed)).toMatchObject({ url: 'night@vendor.example', digest: 'hourly' });

  const without = await setup({ environment: OPERATOR_ENVIRONMENT });
  const body = { email: OPS };
  const refused = await operate(without, { method: 'POST', path: '/endpoints', body });
  expect(refused.status).toBe(400);
  expect(JSON.parse(refused.text)).toMatchObject({
    errors: [{ field: 'email', message: expect.stringContaining('NDS_SMTP_URL') }],
  });
});

test('mails refused credentials at once and the rest at midnight, and never a token', async () => {
  const { running, mailbox, pay, clock, look } = await start();
  await create(running, { email: OPS });
  const refused = { kind: 'reason', reason: 'InvalidProviderToken' } as const;
  running.sandbox.script({ provider: 'apns', fault: refused, times: 9 });
  await pay(iosToken(1), HASH);
  await look();
  const [alert] = await mailbox.wait(1);
  expect(alert?.headers.get('subject')).toBe(
    '[nds nds.example.com] APNs refuses the credentials of app default',
  );
  expect(alert?.text).toContain('Since 2025-08-01 12:00 UTC: InvalidProviderToken.');
  expect(alert?.html).toContain('<h2');

  const dead = { kind: 'fcm_error', error: 'UNREGISTERED' } as const;
  running.sandbox.script({ provider: 'fcm', fault: dead });
  await pay(ANDROID_TOKEN, HASH);
  await look();
  clock.jump(DAY);
  await look();
  const [, digest] = await mailbox.wait(2);
  expect(digest?.headers.get('subject')).toBe('[nds nds.example.com] daily digest: 4 events');
  expect(digest?.text).toMatch(/App default\n +delivery\.rejected +InvalidProviderToken +1\n/);
  expect(digest?.text).toMatch(/delivery\.unregistered +UNREGISTERED +1\n/);
  expect(digest?.text).toMatch(/device\.quarantined +UNREGISTERED +1\n/);
  clock.jump(DAY);
  await look();
  expect(subjects(mailbox.mails)).toHaveLength(2);

  const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
  for (const { raw, text, html } of mailbox.mails) {
    for (const secret of [ANDROID_TOKEN, iosToken(1), HASH]) {
      const said = `${raw}${text}${html}`;
      expect(said).not.toContain(secret);
      expect(said).not.toContain(sha256(secret));
    }
  }
});

test('sends one event again as a mail', async () => {
  const { running, mailbox, pay, look } = await start();
  const { id } = await create(running, { email: OPS });
  const refused = { kind: 'reason', reason: 'InvalidProviderToken' } as const;
  running.sandbox.script({ provider: 'apns', fault: refused, times: 9 });
  await pay(iosToken(1), HASH);
  await look();
  await running.log.waitFor(({ name }) => name === 'event_sent');
  await running.service.settled();
  const path = `/endpoints/${id}/attempts`;
  const { attempts } = attemptsAnswer.parse(told(await operate(running, { path })));
  const event = attempts[0]?.event ?? '';
  const again = sentAnswer.parse(told(await post(running, `${id}/redeliver`, { event })));
  expect(again).toMatchObject({ event, outcome: 'delivered' });
  expect(new Set(subjects(await mailbox.wait(2))).size).toBe(1);
  expect((await post(running, `${id}/redeliver`, { event: 'evt_none' })).status).toBe(404);
});

test('mails that the database fails, while it fails', async () => {
  const { running, mailbox, pay, store, elapse } = await start();
  await create(running, { email: OPS, enabled_events: ['delivery.*'] });
  store.fail('full');
  await pay(ANDROID_TOKEN, HASH);
  const [mail] = await mailbox.wait(1);
  expect(mail?.headers.get('subject')).toContain('The database fails: full');
  expect(mail?.text).toContain('the disk is full: free some space');
  store.repair();
  await elapse(2 * SECOND);
});

test('mails that an https endpoint answered 410', async () => {
  const { running, mailbox, pay, elapse, look } = await start();
  const receiver = await startReceiver();
  receiver.answer = (response) => response.writeHead(410).end();
  await create(running, { email: OPS });
  const { id } = await create(running, {
    url: receiver.url,
    enabled_events: ['delivery.delivered'],
  });
  await pay(ANDROID_TOKEN, HASH);
  await elapse(SECOND);
  await receiver.wait(1);
  await running.log.waitFor(({ name }) => name === 'endpoint_disabled');
  await look();
  expect(subjects(await mailbox.wait(1))).toEqual([
    `[nds nds.example.com] Endpoint ${id} was disabled`,
  ]);
});

test('says in log, attempts and readiness why a mail was not taken', async () => {
  const { running, mailbox, store, pay, clock } = await start();
  const { id } = await create(running, { email: OPS });
  mailbox.judge = () => {
    throw refusal(450);
  };
  store.fail('full');
  await pay(ANDROID_TOKEN, HASH);
  store.repair();
  const isFailure = ({ name }: { readonly name: string }) => name === 'mail_failed';
  const [failed] = await running.log.waitFor(isFailure);
  expect(failed).toMatchObject({ endpointId: id, reason: 'recipient_refused', status: 450 });
  await running.service.settled();
  clock.jump(HOUR);
  const { checks } = running.service.readiness();
  expect(checks[`endpoint/${id}`]).toEqual({
    ready: true,
    status: 'degraded',
    detail: 'has taken no event for 1 h: recipient_refused',
  });
  const path = `/endpoints/${id}/attempts`;
  const { attempts } = attemptsAnswer.parse(told(await operate(running, { path })));
  expect(attempts[0]).toMatchObject({
    type: 'mail.store_failed',
    outcome: 'failed',
    status: 450,
    reason: 'recipient_refused',
  });
  const sent = sentAnswer.parse(told(await post(running, `${id}/test`)));
  expect(sent).toMatchObject({ outcome: 'failed', status: 450, reason: 'recipient_refused' });
});

test('says at once if the mail server was removed from the configuration', async () => {
  const mailbox = await startMailbox();
  const running = await setup({ environment: environmentOf(mailbox) });
  const { id } = await create(running, { email: OPS });
  const service = await running.restart({ NDS_SMTP_URL: '', NDS_SMTP_FROM: '' });
  expect(service.readiness().checks[`endpoint/${id}`]).toEqual({
    ready: true,
    status: 'degraded',
    detail: 'needs NDS_SMTP_URL and NDS_SMTP_FROM, which are not set',
  });
  const sent = sentAnswer.parse(told(await post(running, `${id}/test`)));
  expect(sent).toMatchObject({ outcome: 'failed', reason: 'smtp_not_configured' });
});

test('takes e-mail endpoints from the configuration, and mails again after a restart', async () => {
  const mailbox = await startMailbox({ disabledCommands: [] });
  const environment = {
    ...environmentOf(mailbox),
    NDS_SMTP_URL: `smtp://${USER_AND_PASSWORD}@127.0.0.1:${mailbox.port}`,
    NDS_SMTP_STARTTLS: 'on',
    NDS_ENDPOINTS: JSON.stringify([{ name: 'ops', email: OPS, digest: 'hourly' }]),
  };
  const running = await setup({ environment });
  const listed = listEndpointsAnswer.parse(told(await operate(running, { path: '/endpoints' })));
  expect(listed.endpoints).toMatchObject([
    { id: 'ep_ops', email: OPS, digest: 'hourly', configured: true },
  ]);
  // The mailbox's authority is not trusted here, so the password is not sent.
  const sent = sentAnswer.parse(told(await post(running, 'ep_ops/test')));
  expect(sent).toMatchObject({ outcome: 'failed', reason: 'bad_certificate' });
  await running.restart({
    NDS_SMTP_URL: `smtp://127.0.0.1:${mailbox.port}`,
    NDS_SMTP_STARTTLS: 'off',
  });
  const again = sentAnswer.parse(told(await post(running, 'ep_ops/test')));
  expect(again.outcome).toBe('delivered');
  const output = JSON.stringify([running.log.events, running.log.lines]);
  expect(output).not.toContain('never-to-be-seen');
});
