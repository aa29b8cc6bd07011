// Proxies that the environment names for other programs: only HTTPS_PROXY is a setting of this service.

import { expect, onTestFinished, test } from 'vitest';
import { startSandbox } from '../../sandbox/sandbox.ts';
import { startBinary } from '../support/binary.ts';
import { sandboxEnvironment, temporaryFolder } from '../support/service.ts';

test.each([
  ['http_proxy', '10.0.0.1:3128'],
  ['HTTP_PROXY', 'http://127.0.0.1:1'],
  ['https_proxy', '10.0.0.1:3128'],
])('Google is asked for its tokens whatever %s says', async (name, value) => {
  const sandbox = await startSandbox();
  onTestFinished(() => sandbox.close());
  const environment = sandboxEnvironment(sandbox, temporaryFolder());
  const binary = await startBinary({ ...environment, [name]: value });
  const proven = binary.said('can_reach_provider', 2).then(() => true);
  const refused = binary.said('cannot_reach_provider').then(() => false);
  expect(await Promise.race([proven, refused]), binary.output).toBe(true);
});
