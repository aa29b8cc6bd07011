// Digests and alerts in SQLite against the contract of every adapter.

import { digestContract } from '../../../contract/digest-contract.ts';
import { useFiles } from '../files.ts';

const { newFile, open } = useFiles();

digestContract(() => open(newFile()));
