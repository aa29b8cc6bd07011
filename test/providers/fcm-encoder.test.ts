// firebase-admin as encoder: the seam by which its transport is exchanged is private, so this fails loudly
// when a new version moves it.

import { createRequire } from 'node:module';
import { getApps } from 'firebase-admin/app';
import { getMessaging, Messaging } from 'firebase-admin/messaging';
import { afterEach, expect, it, vi } from 'vitest';
import { createEncoder } from '../../src/providers/fcm/encoder.ts';
import { openProvider, openSandbox } from './support.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

it('is pinned to the version whose inside it knows', () => {
  const { dependencies } = createRequire(import.meta.url)('../../package.json');
  expect(dependencies['firebase-admin']).toBe('14.5.1');
});

it('returns path and body instead of sending them', async () => {
  const encoder = await createEncoder('my-project');
  expect(
    await encoder.encode({ token: 't', data: { a: '1\n2' }, android: { collapseKey: 'c' } }),
  ).toEqual({
    path: '/v1/projects/my-project/messages:send',
    body: '{"message":{"token":"t","data":{"a":"1\\n2"},"android":{"collapse_key":"c"}}}',
  });
  await encoder.close();
});

it('rejects what firebase-admin refuses', async () => {
  const encoder = await createEncoder('my-project');
  await expect(encoder.encode({ token: '' })).rejects.toThrow(/Exactly one of/);
  await encoder.close();
});

it('turns a refused message into an outcome', async () => {
  const sandbox = await openSandbox();
  const { send } = await openProvider('fcm', sandbox);
  expect(await send({ token: '' })).toEqual({
    kind: 'rejected',
    reason: 'message_invalid',
    blame: 'message',
  });
});

it('does not take its own refusal for a sign that FCM can be reached', async () => {
  const { provider, send } = await openProvider('fcm', await openSandbox());
  await send({ token: '' });
  expect(provider.health()).toMatchObject({ ready: false });
  await send();
  expect(provider.health()).toEqual({ ready: true });
});

it('leaves no app behind when it closes', async () => {
  const before = getApps().length;
  const encoder = await createEncoder('my-project');
  expect(getApps()).toHaveLength(before + 1);
  expect(getMessaging(getApps().at(-1))).toBeInstanceOf(Messaging);
  await encoder.close();
  expect(getApps()).toHaveLength(before);
});

it('refuses to start when the encoding is not the expected one', async () => {
  const before = getApps().length;
  vi.spyOn(Messaging.prototype, 'send').mockResolvedValue('projects/p/messages/1');
  await expect(createEncoder('my-project')).rejects.toThrow(/not the version/);
  expect(getApps()).toHaveLength(before);
});
