// The registry in SQLite against the contract of every adapter.

import { deviceStoreContract } from '../../contract/device-store-contract.ts';
import { useFiles } from './files.ts';

const { newFile, open } = useFiles();

deviceStoreContract(() => open(newFile()));
