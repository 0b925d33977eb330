// Room `console/parts`: what views are made of. In: values. Out: pieces of the page. Imports:
// console/wire.

import { html as templates } from 'htm/preact';
import type { ComponentChildren } from 'preact';

/** Markup in a template, without a build. */
export const html = templates;

/** What a component gives. */
export type Markup = ComponentChildren;
