// The SQLite log against the contract of every adapter.

import { storeContract } from '../../contract/store-contract.ts';
import { useFiles } from './files.ts';

const { newFile, open } = useFiles();

storeContract(async () => (await open(newFile())).store);
