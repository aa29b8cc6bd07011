// A wrongly configured mail server, and e-mail endpoints that do not fit: reported at start, without a password.

import { expect, test } from 'vitest';
import { parseSmtpUrl } from '../../src/endpoints/mail/smtp-settings.ts';
import { expectOneFault, faultsOf } from './start-faults.ts';

const PASSWORD = 'never-to-be-seen';
const SMTP = {
  NDS_SMTP_URL: `smtp://nds:${PASSWORD}@mail.example.com`,
  NDS_SMTP_FROM: 'nds@example.com',
};
const OPS = { name: 'ops', email: 'ops@example.com' };

function endpoints(entry: object): { readonly NDS_ENDPOINTS: string } {
  return { NDS_ENDPOINTS: JSON.stringify([entry]) };
}

test('reads the URL of a mail server', () => {
  expect(parseSmtpUrl('smtp://mail.example.com')).toEqual({
    host: 'mail.example.com',
    port: 587,
    isSecure: false,
    user: undefined,
    password: undefined,
  });
  expect(parseSmtpUrl('smtps://a%40b.example:p%3A%2Fw@[::1]:2465/')).toEqual({
    host: '::1',
    port: 2_465,
    isSecure: true,
    user: 'a@b.example',
    password: 'p:/w',
  });
  expect(parseSmtpUrl('SMTPS://mail_1.example.com')?.port).toBe(465);
});

test('reports an invalid URL, without repeating it', async () => {
  for (const wrong of [
    `mail.example.com:587`,
    `https://nds:${PASSWORD}@mail.example.com`,
    `smtp://nds:${PASSWORD}@`,
    `smtp://nds:${PASSWORD}@mail.example.com?tls.rejectUnauthorized=false`,
    `smtp://nds:${PASSWORD}@mail.example.com/path`,
    `smtp://nds:${PASSWORD}@mail.example.com:99999`,
    `smtp://nds:${PASSWORD}%@mail.example.com`,
    `smtp://${PASSWORD}@mail.example.com`,
    `smtp://nds:${PASSWORD}@mail example.com`,
  ]) {
    const faults = await faultsOf({ ...SMTP, NDS_SMTP_URL: wrong });
    expect(faults, wrong).toEqual([expect.stringMatching(/^NDS_SMTP_URL must be smtp:\/\/host/)]);
    expect(faults.join()).not.toContain(PASSWORD);
  }
});

test('needs both the server and the sender', async () => {
  expect(await faultsOf(SMTP)).toEqual([]);
  await expectOneFault([
    [{ NDS_SMTP_URL: SMTP.NDS_SMTP_URL }, /^NDS_SMTP_FROM is required by NDS_SMTP_URL/],
    [{ NDS_SMTP_FROM: SMTP.NDS_SMTP_FROM }, /^NDS_SMTP_URL is required by NDS_SMTP_FROM/],
    [{ ...SMTP, NDS_SMTP_FROM: 'nds <nds@example.com>' }, /^NDS_SMTP_FROM must be an e-mail/],
    [{ ...SMTP, NDS_SMTP_STARTTLS: 'maybe' }, /^NDS_SMTP_STARTTLS must be on or off/],
  ]);
});

test('reports an e-mail endpoint that does not fit, by its number', async () => {
  expect(await faultsOf({ ...SMTP, ...endpoints({ ...OPS, digest: 'hourly' }) })).toEqual([]);
  expect(await faultsOf({ ...SMTP, ...endpoints({ name: 'ops', url: OPS.email }) })).toEqual([]);
  const url = 'https://vendor.example/nds';
  const secret = `whsec_${Buffer.alloc(24).toString('base64')}`;
  const faulty = (entry: object) => ({ ...SMTP, ...endpoints({ name: 'ops', ...entry }) });
  await expectOneFault([
    [endpoints(OPS), /^NDS_ENDPOINTS: 0\.email: needs NDS_SMTP_URL and NDS_SMTP_FROM/],
    [
      faulty({ email: OPS.email, secret }),
      /^NDS_ENDPOINTS: 0\.secret: an e-mail endpoint has none/,
    ],
    [faulty({ email: OPS.email, url }), /^NDS_ENDPOINTS: 0\.url: must be given, or `email`/],
    [faulty({}), /^NDS_ENDPOINTS: 0\.url: must be given, or `email`/],
    [faulty({ email: 'ops' }), /^NDS_ENDPOINTS: 0\.email: must be an e-mail address/],
    [faulty({ email: OPS.email, digest: 'weekly' }), /^NDS_ENDPOINTS: 0\.digest: must be hourly/],
    [faulty({ url, secret, digest: 'daily' }), /^NDS_ENDPOINTS: 0\.digest: is for an e-mail/],
    [faulty({ url }), /^NDS_ENDPOINTS: 0\.secret: is missing/],
  ]);
});
