// What the programs of others have in common here: each reads one request a line
// and answers with one. Nothing is fetched: contexts come from the folder given
// as argument, by the addresses its index names, and keys from the request.
import {createInterface} from 'node:readline';
import {join} from 'node:path';
import {readFileSync} from 'node:fs';

const contexts = readContexts(process.argv[process.argv.length - 1]);

// serve answers lines until there are no more.
async function serve(answer) {
  for await (const line of createInterface({input: process.stdin, crlfDelay: Infinity})) {
    process.stdout.write(JSON.stringify(await answer(line)) + '\n');
  }
}

// verifyAll checks every proof of a document and of all that it embeds.
async function verifyAll({document, documentLoader, now, suites, vc}) {
  const proofs = [];
  for (const {credential, at} of credentials(JSON.parse(document), '')) {
    proofs.push(...await verify({credential, at, documentLoader, now, suites, vc}));
  }
  return proofs;
}

// credentials are the document and, at any depth, what it embeds.
function* credentials(credential, at) {
  yield {credential, at};
  for (const [subject, where] of each(credential?.credentialSubject, at + '/credentialSubject')) {
    for (const [one, place] of each(subject?.verifiableCredential, where + '/verifiableCredential')) {
      yield* credentials(one, place);
    }
  }
}

// each reads a value that JSON-LD lets stand alone or in a list.
function each(value, at) {
  if (Array.isArray(value)) {
    return value.map((one, i) => [one, `${at}/${i}`]);
  }
  return value === undefined ? [] : [[value, at]];
}

// verify checks every proof of one credential as if it were the only one. The
// verifier itself is content when any one proof of a set holds.
async function verify({credential, at, documentLoader, now, suites, vc}) {
  const proofs = each(credential?.proof, '').map(([proof]) => proof);
  const id = typeof credential?.id === 'string' ? credential.id : '';
  if (proofs.length === 0) {
    return [{at, id, cryptosuite: '', verified: false, error: 'no proof'}];
  }
  const results = [];
  for (const proof of proofs) {
    const cryptosuite = String(proof?.cryptosuite ?? proof?.type ?? '');
    const suite = suites[cryptosuite]?.();
    if (!suite) {
      results.push({at, id, cryptosuite, verified: false, error: 'a cryptosuite that is not checked here'});
      continue;
    }
    const result = await vc.verifyCredential({
      credential: {...structuredClone(credential), proof: structuredClone(proof)},
      suite, documentLoader, now: now ? new Date(now) : new Date(),
      checkStatus: async () => ({verified: true}) // revocation is asked of nobody here
    });
    const error = result.verified ? '' : message(result.error);
    results.push({at, id, cryptosuite, verified: result.verified === true, error});
  }
  return results;
}

// verifyPresentation checks the proof of a presentation, made for a challenge
// and a domain, and every credential in it.
async function verifyPresentation({document, challenge, domain, documentLoader, now, suites, vc}) {
  const result = await vc.verify({
    presentation: JSON.parse(document), challenge, domain, documentLoader, now: now ? new Date(now) : new Date(),
    suite: Object.values(suites).map(suite => suite()), checkStatus: async () => ({verified: true})
  });
  const error = result.verified ? '' : message(result.error ?? result.presentationResult?.error ??
    (result.credentialResults ?? []).map(r => r.error).filter(e => e));
  return [{at: '', id: '', cryptosuite: 'presentation', verified: result.verified === true, error}];
}

// message is an error with those that it gathers.
function message(error) {
  const errors = [error?.errors ?? error ?? 'refused without a reason'].flat();
  return errors.map(e => {
    const event = e?.details?.event;
    const detail = event ? ` ${event.message} ${JSON.stringify(event.details)}` : '';
    const cause = e?.details?.cause?.message;
    return (e?.message ?? String(e)) + detail + (cause ? ` (${cause})` : '');
  }).join('; ');
}

// loader answers from the contexts and the request, and refuses all else.
function loader(controllers) {
  return async url => {
    const context = contexts.get(url);
    if (context) {
      // static: the processed context may be kept from one request to the next
      return {contextUrl: null, documentUrl: url, document: context, tag: 'static'};
    }
    const document = controllerOrMethod(controllers, url);
    if (!document) {
      throw new Error(`${url} is neither an official context nor given with the request`);
    }
    return {contextUrl: null, documentUrl: url, document};
  };
}

// controllerOrMethod is a controller's document, or the one of its keys that
// the fragment names.
function controllerOrMethod(controllers, url) {
  const [base, fragment] = url.split('#');
  if (!Object.hasOwn(controllers, base)) {
    return undefined;
  }
  const document = JSON.parse(controllers[base]);
  if (fragment === undefined) {
    return document;
  }
  const method = (document.verificationMethod ?? []).find(m => m.id === url);
  return method && {'@context': 'https://w3id.org/security/multikey/v1', ...method};
}

// readContexts reads the table of the folder's index: file, then what it is
// with its address.
function readContexts(folder) {
  const found = new Map();
  for (const line of readFileSync(join(folder, 'INDEX.md'), 'utf8').split('\n')) {
    const row = line.match(/^\| (contexts\/\S+) \|[^|]*?\bURL (https:[^\s;)]+)/);
    if (row) {
      found.set(row[2], JSON.parse(readFileSync(join(folder, row[1]), 'utf8')));
    }
  }
  if (found.size === 0) {
    throw new Error(`no context is listed in ${folder}/INDEX.md`);
  }
  return found;
}
