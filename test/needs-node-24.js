// Loaded before the first TypeScript file, which an older Node can't read: so plain JavaScript.
const major = Number(process.versions.node.split(".")[0]);
if (major < 24) {
  console.error(
    `Medley needs Node 24, this is ${process.versions.node}. Run it through npm (npm ci, then npm test): npm ci ` +
      "installs a Node 24 in node_modules/.bin on Linux (x64, arm64) and macOS (arm64). Elsewhere, install Node 24.",
  );
  process.exit(2);
}
