/** The log can't be written, and trying again would not help: a damaged file, a right that was taken away. */
export class StorageRefusal extends Error {
  override readonly name = 'StorageRefusal';
}
