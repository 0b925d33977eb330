/** The form in which a page for people and programs is wanted, by the `Accept` field. */
export function acceptedFormat(accept = ''): 'json' | 'text' {
  return accept.includes('application/json') ? 'json' : 'text';
}
