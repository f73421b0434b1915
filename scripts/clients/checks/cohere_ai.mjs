// cohere-ai of npm: version 2 and version 1.

import { CohereClient, CohereClientV2 } from "cohere-ai";

const [query, documents, order] = JSON.parse(process.env.SEXTANT_EXPECTED);
const same = (results) => {
  const found = JSON.stringify(results.map((row) => row.index));
  if (found !== JSON.stringify(order)) throw new Error(`${found} in place of ${order}`);
};
const options = { token: "any", environment: process.env.SEXTANT_URL };
const v2 = new CohereClientV2(options);
same((await v2.rerank({ model: "rerank-v3.5", query, documents })).results);
const v1 = new CohereClient(options);
same((await v1.rerank({ model: "rerank-v3.5", query, documents, returnDocuments: true })).results);
