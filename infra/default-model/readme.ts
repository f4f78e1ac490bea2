/** The package's README from its manifest, so that its figures are the measured ones. */
export function readmeOf(manifest: {
  source: { file: string; sha256: string };
  cosineToSource: { texts: number; min: number; mean: number };
  files: Record<string, { bytes: number }>;
}): string {
  const { source, cosineToSource, files } = manifest;
  const megabytes = ((files["onnx/model.onnx"]?.bytes ?? 0) / 1e6).toFixed(1);
  return `# all-MiniLM-L6-v2

The text model that Medley uses when no other is named: 384 dimensions, at most 256 tokens, English.

- Origin: [sentence-transformers/all-MiniLM-L6-v2](https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2),
  licence Apache-2.0 (see LICENSE).
- Made from: ${source.file} (sha256 \`${source.sha256}\`).
- Made by: \`infra/default-model/make.ts\`. Changed from the original: weight matrices and the word table are stored as
  int8 with a float32 scale for every 64 weights of an output channel (for every row of the table), and turned back to
  float32 when they are used. All computing is float32, so a text has the same vector alone and in any batch.
- Size: ${megabytes} MB instead of 90.4 MB.
- Cosine of its vectors to the original's over ${cosineToSource.texts} texts (film plots, one word to hundreds, many
  languages, code, numbers, emoji): min ${cosineToSource.min}, mean ${cosineToSource.mean}.

\`manifest.json\` has the sha256 of every file; Medley checks it whenever it loads the model. \`reference.json\` has vectors
of the original for the tests. The folder has Hugging Face's layout: other tools can read it.
`;
}
