/** The storage can't be used as it is. The message is one line that says what is wrong and what to do. */
export class StorageError extends Error {
  override readonly name: string = 'StorageError';
}

/** Another process has it. */
export class HeldError extends StorageError {
  override readonly name = 'HeldError';
}
