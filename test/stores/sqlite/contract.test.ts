// The SQLite stores against the contracts of every adapter.

import { deviceStoreContract } from '../../contract/device-store-contract.ts';
import { storeContract } from '../../contract/store-contract.ts';
import { useFiles } from './files.ts';

const { newFile, open } = useFiles();

storeContract(async () => (await open(newFile())).store);

deviceStoreContract(() => open(newFile()));
