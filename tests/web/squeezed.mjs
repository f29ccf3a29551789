// Whether modules say the same before and after they were squeezed: squeezed.mjs FOLDER.
import { readdirSync, readFileSync } from "node:fs";
import ts from "typescript";

const [, , folder] = process.argv;
const dump = (node) => {
  const parts = [];
  node.forEachChild((child) => void parts.push(dump(child)));
  return parts.length ? `${node.kind}(${parts})` : `${node.kind}:${node.text ?? ""}`;
};
const read = (kind, name) => {
  const text = readFileSync(`${folder}/${kind}/${name}`, "utf8");
  return dump(ts.createSourceFile(name, text, ts.ScriptTarget.Latest));
};
for (const name of readdirSync(`${folder}/whole`)) {
  if (read("whole", name) === read("squeezed", name)) continue;
  console.error(`${name} says something else when squeezed: a template in a template?`);
  process.exitCode = 1;
}
