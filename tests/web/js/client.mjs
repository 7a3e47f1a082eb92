// What a JavaScript program does with dicomweb-client: node client.mjs URL FOLDER STUDY
// The folder holds 1.dcm to 3.dcm, three instances of three frames of one series.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
globalThis.XMLHttpRequest = require("xhr2");
const { api } = require("dicomweb-client");

const [url, folder, study] = process.argv.slice(2);
const series = `${study}.1`;
const client = new api.DICOMwebClient({ url, verbose: false });
const files = [1, 2, 3].map((n) => readFileSync(`${folder}/${n}.dcm`));
const exact = (buffer) => buffer.buffer.slice(buffer.byteOffset, buffer.byteOffset + buffer.length);
const same = (got, want, what) => assert.ok(Buffer.compare(Buffer.from(got), Buffer.from(want)) === 0, what);
// 16 x 16 pixels of 16 bits, three frames, stand at the end of each file.
const frame = (file, n) => file.subarray(file.length - 1536 + (n - 1) * 512, file.length - 1536 + n * 512);

const stored = await client.storeInstances({ datasets: files.map(exact) });
const outcome = typeof stored === "string" ? JSON.parse(stored) : stored;
if (outcome && outcome["00081199"]) assert.equal(outcome["00081199"].Value.length, 3);

const studies = await client.searchForStudies({ queryParams: { StudyInstanceUID: study } });
assert.equal(studies.length, 1);
assert.equal((await client.searchForStudies({ queryParams: { PatientName: "Doe^J*", StudyInstanceUID: study } })).length, 1);
assert.equal((await client.searchForSeries({ studyInstanceUID: study })).length, 1);
assert.equal((await client.searchForInstances({ studyInstanceUID: study, seriesInstanceUID: series })).length, 3);

const metadata = await client.retrieveSeriesMetadata({ studyInstanceUID: study, seriesInstanceUID: series });
assert.equal(metadata.length, 3);
assert.equal((await client.retrieveStudyMetadata({ studyInstanceUID: study })).length, 3);

for (const [index, file] of files.entries()) {
  const key = { studyInstanceUID: study, seriesInstanceUID: series, sopInstanceUID: `${series}.${index + 1}` };
  same(await client.retrieveInstance(key), file, "instance");
  const frames = await client.retrieveInstanceFrames({ ...key, frameNumbers: [1, 3] });
  assert.equal(frames.length, 2);
  same(frames[0], frame(file, 1), "frame 1");
  same(frames[1], frame(file, 3), "frame 3");
  const asStored = await client.retrieveInstanceFrames({
    ...key,
    frameNumbers: [2],
    mediaTypes: [{ mediaType: "application/octet-stream", transferSyntaxUID: "*" }],
  });
  same(asStored[0], frame(file, 2), "frame 2");
  const one = await client.retrieveInstanceMetadata(key);
  const uri = one[0]["7FE00010"].BulkDataURI;
  const bulk = await client.retrieveBulkData({ BulkDataURI: uri });
  same(Array.isArray(bulk) ? bulk[0] : bulk, file.subarray(file.length - 1536), "bulk data");
}
const bulks = await client.retrieveBulkData({ BulkDataURI: `${url}/studies/${study}/series/${series}/pixeldata` });
assert.equal(bulks.length, 3);
same(bulks[2], files[2].subarray(files[2].length - 1536), "pixel data of a series");
same((await client.retrieveSeries({ studyInstanceUID: study, seriesInstanceUID: series }))[1], files[1], "series");
assert.equal((await client.retrieveStudy({ studyInstanceUID: study })).length, 3);
await assert.rejects(client.retrieveInstance({ studyInstanceUID: study, seriesInstanceUID: series, sopInstanceUID: "1.2.3" }));
console.log("all well");
