// The check that runs after every test must notice secrets in its output.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createSecretWatch } from './secret-watch.ts';
import { ANDROID_TOKEN, notifyPath, temporaryFolder } from './service.ts';

const HANDLE = 'h4ndle-of-a-device-AbCdEf';

test('finds tokens, handles and configured secrets in the log and in the files of the database', () => {
  const folder = temporaryFolder();
  const watch = createSecretWatch({ NDS_SECRET: 'a secret of the test' });
  watch.called(notifyPath(ANDROID_TOKEN, { app_data: 'told to nobody' }));
  watch.called(`/n/${HANDLE}`);
  writeFileSync(join(folder, 'nds.sqlite'), `row of ${HANDLE}`);
  writeFileSync(join(folder, 'nds.sqlite.secret'), 'a secret of the test');
  const found = watch.find({ 'the log': `${ANDROID_TOKEN} a secret of the test` }, folder);
  expect(found).toEqual(['NDS_SECRET in the log', 'a token in the log', 'a handle in nds.sqlite']);
  expect(watch.find({ 'the log': 'told to nobody' }, temporaryFolder())).toEqual([
    'app_data in the log',
  ]);
  expect(watch.find({ 'the log': 'a delivery and its id' }, temporaryFolder())).toEqual([]);
});
