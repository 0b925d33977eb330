/** Alerts of the shipped rules that no drill lets fire, each with the reason. */
export const undrilledAlerts: Readonly<Record<string, string>> = {
  QuaysideBucketSettings: 'the settings of a bucket are looked at every 10 minutes',
  QuaysideBucketConditionalWrites: 'the settings of a bucket are looked at every 10 minutes',
  QuaysideStreamsStale: 'the fleet of a drill follows no image streams',
  QuaysideCertificateInvalid: 'the replicas of a drill have no certificate',
  QuaysideCertificateExpires: 'the replicas of a drill have no certificate',
  QuaysideMirrorBehind: 'an image must wait for an hour',
  QuaysideMirrorTwoLeaders: 'only a medium that breaks its word lets two processes lead',
  QuaysideMissesUnanswered: 'the fleet of a drill has no sources of misses',
  QuaysideAmplification: 'an upstream must send 10 GB',
  QuaysideHitRateFallen: 'a day is compared with the day before',
  QuaysideSpoolFilling: 'downloads under way must be as large as the spool',
  QuaysideStoreAboveLimit: 'the fleet of a drill evicts nothing',
  QuaysideEvictionFailing: 'the fleet of a drill evicts nothing',
  QuaysideClientsLimited: 'a client must hold more requests than the limits allow: quayside load',
  QuaysidePruneOverdue: 'quayside prune is no part of a fleet',
  QuaysidePruneFailing: 'quayside prune is no part of a fleet',
};
