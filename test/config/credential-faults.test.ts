// Credentials and authorities that were damaged, or are something else: the report says what happened to each.

import { createPrivateKey } from 'node:crypto';
import { generate } from 'selfsigned';
import { expect, test } from 'vitest';
import { APNS_KEY, BOTH_PROVIDERS, SERVICE_ACCOUNT } from '../support/credentials.ts';
import { expectOneFault, faultsOf, file } from './start-faults.ts';

const { GOOGLE_APPLICATION_CREDENTIALS_JSON: ACCOUNT_JSON, ...APNS_ONLY } = BOTH_PROVIDERS;
const { APNS_KEY: _, ...APNS_WITHOUT_KEY } = APNS_ONLY;

test('a file of authorities that Node would ignore is reported', async () => {
  const { cert } = await generate([{ name: 'commonName', value: 'Test CA' }], { keySize: 2_048 });
  const der = Buffer.from(cert.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64');
  await expectOneFault([
    [{ NDS_PROVIDER_CA_FILE: file('ca.der', der) }, /^NDS_PROVIDER_CA_FILE .*in DER: convert it/],
    [{ NDS_PROVIDER_CA_FILE: file('ca.pem', 'no certificate') }, /holds no certificate in PEM/],
    [{ NDS_PROVIDER_CA_FILE: file('ca.pem', APNS_KEY) }, /holds no certificate in PEM/],
    [
      { NDS_PROVIDER_CA_FILE: file('ca.pem', `${cert}\n${cert.replace('MII', 'AAA')}`) },
      /holds a certificate that cannot be read/,
    ],
  ]);
  expect(await faultsOf({ NDS_PROVIDER_CA_FILE: file('ca.pem', `${cert}\n${cert}`) })).toEqual([]);
});

test('an APNs key is reported by what happened to it, once', async () => {
  const lines = APNS_KEY.trim().split('\n');
  const spelledOut = APNS_KEY.trim().replaceAll('\n', '\\n');
  await expectOneFault([
    [{ APNS_KEY: `"${spelledOut}"` }, /^APNS_KEY has quotes around it/],
    [{ APNS_KEY: `'${APNS_KEY.trim()}'` }, /^APNS_KEY has quotes around it/],
    [{ APNS_KEY: lines.map((line) => `    ${line}`).join('\n') }, /^APNS_KEY has blanks before/],
    [{ APNS_KEY: APNS_KEY.trim().replaceAll('\n', '\\\\n') }, /^APNS_KEY has escapes/],
    [{ APNS_KEY: APNS_KEY.trim().replaceAll('\n', '\\r\\n') }, /^APNS_KEY has escapes/],
    [{ APNS_KEY: Buffer.from(APNS_KEY).toString('base64') }, /^APNS_KEY is the key in base64/],
    [{ APNS_KEY: './AuthKey_ABC123DEFG.p8' }, /^APNS_KEY is the path of a file: use APNS_KEY_FILE/],
  ]);
  await expectOneFault(
    [[{ APNS_KEY_FILE: file('key.p8', `"${APNS_KEY}"`) }, /^the file of APNS_KEY_FILE has quotes/]],
    APNS_WITHOUT_KEY,
  );
  // OpenSSL skips everything before the key.
  const marked = file('key.p8', `\ufeff${APNS_KEY}`);
  expect(createPrivateKey(APNS_KEY).asymmetricKeyType).toBe('ec');
  expect(await faultsOf({ APNS_KEY_FILE: marked }, APNS_WITHOUT_KEY)).toEqual([]);
});

test('a Google credential is reported by what happened to it, or what it is instead', async () => {
  const name = 'GOOGLE_APPLICATION_CREDENTIALS_JSON';
  const broken = ACCOUNT_JSON.replaceAll('\\n', '\n');
  await expectOneFault([
    [{ [name]: Buffer.from(ACCOUNT_JSON).toString('base64') }, /^GOOGLE_\w+_JSON is base64/],
    [{ [name]: `'${ACCOUNT_JSON}'` }, /^GOOGLE_\w+_JSON has quotes around it/],
    [{ [name]: JSON.stringify(ACCOUNT_JSON) }, /^GOOGLE_\w+_JSON is JSON inside a JSON string/],
    [{ [name]: ACCOUNT_JSON.replaceAll('"', '\\"') }, /^GOOGLE_\w+_JSON has backslashes/],
    [{ [name]: broken }, /^GOOGLE_\w+_JSON has line breaks inside private_key/],
    [
      { [name]: './service-account.json' },
      /is the path of a file: use GOOGLE_APPLICATION_CREDENTIALS$/,
    ],
    [{ [name]: SERVICE_ACCOUNT.private_key }, /^GOOGLE_\w+_JSON is a key in PEM/],
    [
      { [name]: '{"project_info":{"project_number":"1","project_id":"x-y-z"},"client":[]}' },
      /is the app's google-services\.json, not a credential/,
    ],
    [{ [name]: '{"apiKey":"a","projectId":"b"}' }, /is the web app's configuration/],
    [{ [name]: '{"installed":{"client_id":"a"}}' }, /is an OAuth client/],
  ]);
  await expectOneFault(
    [
      [
        { GOOGLE_APPLICATION_CREDENTIALS: broken },
        /^GOOGLE_APPLICATION_CREDENTIALS has line breaks inside private_key/,
      ],
      [
        { GOOGLE_APPLICATION_CREDENTIALS: file('account.json', `\ufeff${ACCOUNT_JSON}`) },
        /^the file of GOOGLE_APPLICATION_CREDENTIALS begins with a byte order mark/,
      ],
      [
        {
          GOOGLE_APPLICATION_CREDENTIALS: file(
            'account.json',
            Buffer.from(ACCOUNT_JSON, 'utf16le'),
          ),
        },
        /^the file of GOOGLE_APPLICATION_CREDENTIALS is not UTF-8/,
      ],
      [
        { GOOGLE_APPLICATION_CREDENTIALS: file('google-services.json', '{"project_info":{}}') },
        /google-services\.json, not a credential/,
      ],
    ],
    APNS_ONLY,
  );
});
