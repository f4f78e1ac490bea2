/** A line that is written over on a terminal; elsewhere one line per quarter of the work. */
export function progressTo(stream: NodeJS.WriteStream, total: number): (done: number) => void {
  const startMs = performance.now();
  let quarters = 0;
  return (done) => {
    const rate = done / ((performance.now() - startMs) / 1000);
    const left = rate > 0 ? Math.ceil((total - done) / rate) : 0;
    const line = `   ${done}/${total}  ${rate.toFixed(0)} records/s  ${left} s left`;
    if (stream.isTTY) stream.write(done < total ? `\r\u001b[2K${line}` : "\r\u001b[2K");
    else if (Math.floor((4 * done) / total) > quarters) {
      quarters = Math.floor((4 * done) / total);
      stream.write(`${line}\n`);
    }
  };
}
