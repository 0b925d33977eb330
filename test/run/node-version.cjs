// Runs in front of what needs a new Node, in the JavaScript of old ones: such a Node gets an answer
// and not a syntax error.
const oldestNode = 24;
if (Number(process.versions.node.split('.')[0]) < oldestNode) {
  console.error(
    `this needs Node ${oldestNode} or newer, and this is ${process.version}: run "npm ci", which brings a Node of its own (its install script must be allowed to run)`,
  );
  process.exit(1);
}
