// How endpoints change while they run: by the configuration, and by an operator while something else is under way.

import { expect, test } from 'vitest';
import { useFiles } from '../../stores/sqlite/files.ts';
import { BACKEND, HOUR, OPS, setupEndpoints } from './endpoints-setup.ts';

const files = useFiles();
const setup = () => setupEndpoints(files);

test('an endpoint of the configuration can become one by e-mail, and back', async () => {
  const { endpoints } = await setup();
  await endpoints.start([BACKEND]);
  await endpoints.start([
    { name: 'backend', url: OPS.url, digest: 'hourly', enabledEvents: ['*'] },
  ]);
  expect(endpoints.find('ep_backend').endpoint).toMatchObject({ digest: 'hourly', secrets: [] });
  await endpoints.start([BACKEND]);
  const { digest, secrets } = endpoints.find('ep_backend').endpoint;
  expect([digest, secrets.length]).toEqual([undefined, 1]);
});

test('the secret before a rotation signs for a day, and no longer', async () => {
  const { clock, endpoints, signatures } = await setup();
  const { endpoint } = await endpoints.create({ url: BACKEND.url, enabledEvents: ['provider.*'] });
  await endpoints.rotate(endpoint.id);
  await endpoints.test(endpoint.id);
  clock.advance(24 * HOUR - 1);
  await endpoints.test(endpoint.id);
  clock.advance(1);
  await endpoints.test(endpoint.id);
  expect(signatures.map((signature) => signature.split(' ').length)).toEqual([2, 2, 1]);
});

test('an endpoint that asks for more gets what is recorded from then on', async () => {
  const { endpoints, calls, receiver, down, idle } = await setup();
  receiver.status = 204;
  await endpoints.start([BACKEND]);
  const { id } = (
    await endpoints.create({ url: 'https://vendor.example/b', enabledEvents: ['device.*'] })
  ).endpoint;
  await down();
  endpoints.find(id).nudge();
  endpoints.find('ep_backend').nudge();
  await idle();
  expect(calls).toEqual(['/nds provider.down']);
  await endpoints.change(id, { enabledEvents: ['*'] });
  await idle();
  expect(calls).toEqual(['/nds provider.down']);
});

test('a change that waits for its address undoes no change that was made meanwhile', async () => {
  const { endpoints, store, receiver } = await setup();
  const details = { url: 'https://vendor.example/a', enabledEvents: ['*'] };
  const { id } = (await endpoints.create(details)).endpoint;
  const looked = Promise.withResolvers<void>();
  receiver.isKnown = () => looked.promise;
  const moving = endpoints.change(id, { url: 'https://vendor.example/b' });
  await Promise.all([endpoints.rotate(id), endpoints.rotate(id)]);
  looked.resolve();
  await moving;
  const [stored] = await store.listEndpoints();
  expect(stored?.endpoint.url).toBe('https://vendor.example/b');
  expect(stored?.endpoint.secrets.map(({ untilMs }) => untilMs === undefined)).toEqual([
    true,
    false,
    false,
  ]);
});

test('a change during a deletion restores nothing', async () => {
  const { endpoints, store } = await setup();
  const details = { url: 'https://vendor.example/a', enabledEvents: ['*'] };
  const { id } = (await endpoints.create(details)).endpoint;
  const removing = endpoints.remove(id);
  await expect(endpoints.change(id, { description: 'late' })).rejects.toThrow();
  await removing;
  expect(await store.listEndpoints()).toEqual([]);
});
