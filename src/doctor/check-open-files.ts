// Whether the operating system lets a process have as many connections as are configured.

import type { Finding } from '../service/findings.ts';
import { openFilesFault, readOpenFileLimit } from '../service/open-files.ts';

/** Of this process: a service that another program starts, such as systemd, may have another limit. */
export function checkOpenFiles(maxConnections: number): readonly Finding[] {
  const fault = openFilesFault(readOpenFileLimit(), maxConnections);
  return fault === undefined ? [] : [{ check: 'open_files', code: 'open_files_few', text: fault }];
}
