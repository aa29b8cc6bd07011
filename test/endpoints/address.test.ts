// Where events may be sent: hostile URLs are refused when they are saved and when they are called, in words that do not
// repeat them.

import { expect, test } from 'vitest';
import { judgeAddress, parseNetwork } from '../../src/endpoints/address.ts';
import { createEventSender } from '../../src/endpoints/event-sender.ts';
import { ManualClock } from '../support/manual-clock.ts';

/** Names, and the addresses that the resolver returns for them. */
const NAMES: Readonly<Record<string, readonly string[]>> = {
  'good.example': ['93.184.215.14', '2606:2800:21f:cb07:6820:80da:af6b:8b2c'],
  'mixed.example': ['93.184.215.14', '10.0.0.7'],
  'inside.example': ['192.168.1.10'],
  'meta.example': ['169.254.169.254'],
  'loop6.example': ['::1'],
  'mapped.example': ['::ffff:127.0.0.1'],
  'nat64.example': ['64:ff9b::a00:1'],
  'own.example': ['10.1.2.3'],
  'nowhere.example': [],
  'scoped.example': ['fe80::1%eth0'],
  'sixes.example': ['2606:2800:21f:cb07:6820:80da:af6b:8b2c', 'fd00:ec2::254'],
  'tunnel.example': ['2002:a00:1::1'],
  'last.example': ['93.184.215.14', '93.184.215.15', '127.0.0.53'],
  'nonsense.example': ['example'],
};

async function resolve(hostname: string) {
  const found = NAMES[hostname];
  if (found === undefined) throw Object.assign(new Error('no such name'), { code: 'ENOTFOUND' });
  return found.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
}

function sender(networks: readonly string[] = []) {
  const allowed = networks.map(parseNetwork).filter((one) => one !== undefined);
  return createEventSender({ clock: new ManualClock(), networks: allowed, resolve });
}

const HOSTILE = [
  // Schemes.
  ...[
    'http://good.example/',
    'ftp://good.example/',
    'file:///etc/passwd',
    'gopher://good.example/',
  ],
  ...['javascript:alert(1)', 'data:text/plain,x', 'ws://good.example/', 'wss://good.example/'],
  ...['unix:/run/docker.sock', 'good.example/hooks', '//good.example/', ''],
  // Users, fragments, hosts.
  ...[
    'https://user@good.example/',
    'https://user:pass@good.example/',
    'https://good.example@10.0.0.1/',
  ],
  ...[
    'https://good.example/#x',
    'https:///',
    'https://good.example./',
    'https://[::1',
    'https://a b/',
  ],
  // IPv4 in every spelling.
  ...['https://127.0.0.1/', 'https://127.1/', 'https://2130706433/', 'https://0x7f000001/'],
  ...['https://0177.0.0.1/', 'https://0x7f.1/', 'https://127.0.0.1.:443/', 'https://①②⑦.⓪.⓪.①/'],
  ...['https://0.0.0.0/', 'https://0/', 'https://10.0.0.1/', 'https://172.16.0.1/'],
  ...['https://192.168.0.1/', 'https://169.254.169.254/latest', 'https://100.64.0.1/'],
  ...[
    'https://198.18.0.1/',
    'https://192.0.2.1/',
    'https://224.0.0.1/',
    'https://255.255.255.255/',
  ],
  ...['https://240.0.0.1/', 'https://192.0.0.8/', 'https://203.0.113.9/', 'https://198.51.100.4/'],
  ...[
    'https://127.0.1/',
    'https://017700000001/',
    'https://0x7f.0x0.0x0.0x1/',
    'https://2130706433:443/',
  ],
  ...['https://127。0。0。1/', 'https://%31%32%37.0.0.1/', 'https://127.0.0.1%00.good.example/'],
  ...['https:10.0.0.1', 'HTTPS://10.0.0.1/', 'https://\\\\10.0.0.1/', ' https://10.0.0.1\t/'],
  ...['https://192.88.99.1/', 'https://0xa9fea9fe/', 'https://0251.0376.0251.0376/'],
  // IPv6.
  ...['https://[::1]/', 'https://[::]/', 'https://[::ffff:127.0.0.1]/', 'https://[::ffff:7f00:1]/'],
  ...[
    'https://[::127.0.0.1]/',
    'https://[fe80::1]/',
    'https://[fc00::1]/',
    'https://[fd12:3456::1]/',
  ],
  ...['https://[ff02::1]/', 'https://[2001:db8::1]/', 'https://[64:ff9b::7f00:1]/'],
  ...['https://[64:ff9b:1::1]/', 'https://[2002:7f00:1::]/', 'https://[2001:0:7f00:1::]/'],
  ...[
    'https://[fec0::1]/',
    'https://[100::1]/',
    'https://[3fff::1]/',
    'https://[::ffff:0:7f00:1]/',
  ],
  ...[
    'https://[0:0:0:0:0:ffff:127.0.0.1]/',
    'https://[::ffff:a9fe:a9fe]/',
    'https://[::ffff:10.1]/',
  ],
  ...['https://[fe80::1%25eth0]/', 'https://[fd00:ec2::254]/', 'https://[64:ff9b::10.0.0.1]/'],
  ...[
    'https://[2001:10::1]/',
    'https://[2001:20::1]/',
    'https://[2001:2::1]/',
    'https://[5f00::1]/',
  ],
  ...['https://[2002:c0a8:101::1]/', 'https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/'],
  // Ports.
  ...['https://good.example:22/', 'https://good.example:25/', 'https://good.example:80/'],
  ...['https://good.example:0/', 'https://good.example:99999/', 'https://good.example:1023/'],
  // Names.
  ...['https://localhost/', 'https://mixed.example/', 'https://inside.example/'],
  ...['https://meta.example/', 'https://loop6.example/', 'https://mapped.example/'],
  ...['https://nowhere.example/', 'https://scoped.example/', 'https://sixes.example/'],
  ...['https://tunnel.example/', 'https://last.example/', 'https://nonsense.example/'],
  'https://good.example:443@inside.example/',
  ...['https://nat64.example/', 'https://unknown.example/', 'http://own.example/'],
  `https://good.example/${'a'.repeat(2_048)}`,
];

test('there are more than a hundred of them', () => {
  expect(new Set(HOSTILE).size).toBe(HOSTILE.length);
  expect(HOSTILE.length).toBeGreaterThan(100);
});

test.each(HOSTILE)('refuses %s', async (url) => {
  const fault = await sender().faultOf(url);
  expect(fault).toMatch(/^must /);
  const host = /\/\/([^/]+)/.exec(url)?.[1];
  if (host !== undefined && host.length > 3) expect(fault).not.toContain(host);
  const sent = await sender().send({ url, headers: {}, body: '{}' });
  expect(sent.kind).toBe('failed');
});

test.each([
  'https://good.example/hooks?key=1',
  'https://good.example:8443/',
  // Browsers read the end as a path, and so does the code that makes the call.
  'https://good.example\\@inside.example/',
  'https://93.184.215.14/',
  'https://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]/',
  'https://[64:ff9b::5db8:d70e]/',
])('allows %s', async (url) => {
  expect(await sender().faultOf(url)).toBeUndefined();
});

test('a network of the configuration may be called, also by http; others stay closed', async () => {
  const own = sender(['10.0.0.0/8', 'fd00::/8']);
  for (const url of [
    'http://own.example/',
    'https://own.example/',
    'http://10.9.9.9:80/',
    'https://[fd12::1]/',
  ]) {
    expect(await own.faultOf(url)).toBeUndefined();
  }
  for (const url of ['http://good.example/', 'https://inside.example/', 'https://127.0.0.1/']) {
    expect(await own.faultOf(url)).toMatch(/^must /);
  }
  // One of its two addresses is not allowed.
  expect(await own.faultOf('http://mixed.example/')).toBe(
    'must be https outside NDS_ENDPOINT_NETWORKS',
  );
});

/** Calls a name that has the second address when it is dialled. */
async function callRebound(url: string, [first, second]: readonly [string, string]) {
  let calls = 0;
  const networks = ['10.0.0.0/8'].map(parseNetwork).filter((one) => one !== undefined);
  const rebinding = createEventSender({
    clock: new ManualClock(),
    networks,
    resolve: async () => {
      calls += 1;
      const address = calls === 1 ? first : second;
      return [{ address, family: address.includes(':') ? 6 : 4 }];
    },
  });
  const sent = await rebinding.send({ url, headers: {}, body: '{}' });
  expect(calls).toBe(2);
  return sent;
}

test.each([
  ['https://good.example/', '93.184.215.14', '127.0.0.1'],
  ['https://good.example/', '93.184.215.14', '::ffff:127.0.0.1'],
  ['https://good.example/', '10.0.0.7', '169.254.169.254'],
  // A body that may go to one's own network over http must not go to the internet in this way.
  ['http://own.example/', '10.0.0.7', '93.184.215.14'],
] as const)('%s, which leads to %s and then to %s, is not called', async (url, first, second) => {
  const sent = await callRebound(url, [first, second]);
  expect(sent).toEqual({ kind: 'failed', reason: 'address_refused' });
});

test('a name without an answer is waited for as long as a call, and delays at most one other', async () => {
  const clock = new ManualClock();
  const asked: string[] = [];
  const hanging = Promise.withResolvers<readonly []>();
  const slow = createEventSender({
    clock,
    networks: [],
    resolve: (hostname) => {
      asked.push(hostname);
      return hanging.promise;
    },
  });
  const sends = ['slow.example', 'other.example'].map((host) =>
    slow.send({ url: `https://${host}/`, headers: {}, body: '{}' }),
  );
  await clock.run(14_999);
  // Node looks up two names at once, so the second lookup is left free for others.
  expect(asked).toEqual(['slow.example']);
  await clock.run(1);
  const unknown = { kind: 'failed', reason: 'unknown_host' };
  expect(await Promise.all(sends)).toEqual([unknown, unknown]);
  hanging.resolve([]);
});

test('checks addresses that are embedded in another address', () => {
  expect(judgeAddress('::ffff:10.0.0.1', { networks: [] })).toBeUndefined();
  expect(judgeAddress('::ffff:8.8.8.8', { networks: [] })).toBe('public');
  expect(judgeAddress('nonsense', { networks: [] })).toBeUndefined();
});
