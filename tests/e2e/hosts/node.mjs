// The Node adapter as a program: node node.mjs FOLDER, settings in the environment.

import { pathToFileURL } from "node:url";

const { serve } = await import(pathToFileURL(`${process.argv[2]}/node.mjs`).href);
const { close } = await serve(process.env, { port: Number(process.env.PORT) });
process.on("SIGTERM", () => close().then(() => process.exit(0)));
