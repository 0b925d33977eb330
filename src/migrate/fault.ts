/** Why an object cannot be migrated, whatever the API server says. Holds no secret. */
export class MigrationFault extends Error {
  override readonly name = 'MigrationFault';
}
