// A small backend as it stands in front of Trainyard in many products: it knows its users by their own JWT, and has
// models retrained by the service at PYTHON_SERVICE_URL. Node 18 or newer, no packages.
//
//   PYTHON_SERVICE_URL=http://trainyard:$SERVICE_TOKEN@localhost:8000 JWT_SECRET=... PORT=3001 node server.mjs
//   curl -X POST http://localhost:3001/api/retrain -H "Authorization: Bearer $JWT" \
//     -H "Content-Type: application/json" -d '{"model_type": "all"}'
import { createHmac, timingSafeEqual } from 'node:crypto';
import http from 'node:http';
import https from 'node:https';

const { PYTHON_SERVICE_URL = 'http://localhost:8000', JWT_SECRET, PORT = '3001' } = process.env;
const TIMEOUT_MS = 30_000;

/** The subject of an HS256 token, or null. */
function subjectOf(authorization = '') {
  const [head, payload, signature] = authorization.replace(/^Bearer /, '').split('.');
  if (!signature) return null;
  const expected = createHmac('sha256', JWT_SECRET).update(`${head}.${payload}`).digest();
  const given = Buffer.from(signature, 'base64url');
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return null;
  try {
    const claims = JSON.parse(Buffer.from(payload, 'base64url'));
    return claims.exp > Date.now() / 1000 ? claims.sub : null;
  } catch {
    return null;
  }
}

/** POST {user_id, full_retrain, model_type} to PYTHON_SERVICE_URL/retrain. A token in the URL is sent as HTTP Basic. */
function callService(body) {
  const url = new URL('/retrain', PYTHON_SERVICE_URL);
  return new Promise((resolve, reject) => {
    const options = { method: 'POST', headers: { 'Content-Type': 'application/json' }, timeout: TIMEOUT_MS };
    const request = (url.protocol === 'https:' ? https : http).request(url, options, async (response) => {
      let text = '';
      for await (const chunk of response.setEncoding('utf8')) text += chunk;
      resolve({ status: response.statusCode, retryAfter: response.headers['retry-after'], body: JSON.parse(text) });
    });
    request.on('timeout', () => request.destroy(Object.assign(new Error(), { code: 'ETIMEDOUT' })));
    request.on('error', reject);
    request.end(JSON.stringify(body));
  });
}

/** Status and body of the answer to POST /api/retrain. */
async function retrain(subject, { full_retrain = false, model_type = 'all' }) {
  const initiatedAt = new Date().toISOString();
  let service;
  try {
    service = await callService({ user_id: subject, full_retrain, model_type });
  } catch (error) {
    if (error.code === 'ECONNREFUSED' || error.code === 'ENOTFOUND') {
      const { host, protocol } = new URL(PYTHON_SERVICE_URL);
      return [503, {
        success: false,
        error: 'Python service not available',
        details: 'ML training service is not accessible',
        service_url: `${protocol}//${host}`,
      }];
    }
    const details = error.code === 'ETIMEDOUT' ? 'Timeout waiting for Python service' : 'Unexpected error';
    return [500, { success: false, error: 'Failed to initiate model retraining', details }];
  }
  if (service.status !== 200) {
    const { status, body } = service;
    return [503, { success: false, error: 'Python service error', details: body.details ?? body.error, status }];
  }
  return [200, {
    success: true,
    message: 'Retreinamento iniciado',
    data: {
      user_id: subject,
      retrain_type: model_type,
      full_retrain,
      python_response: service.body,
      initiated_at: initiatedAt,
    },
  }];
}

async function answer(request) {
  if (request.method !== 'POST' || request.url !== '/api/retrain') {
    return [404, { success: false, error: 'Not Found', details: 'POST /api/retrain' }];
  }
  const subject = subjectOf(request.headers.authorization);
  if (subject === null) {
    return [401, { success: false, error: 'Unauthorized', details: 'No valid JWT token provided' }];
  }
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += chunk;
  let body;
  try {
    body = JSON.parse(text || '{}');
  } catch {
    return [400, { success: false, error: 'Bad Request', details: 'The body is no JSON' }];
  }
  return retrain(subject, body);
}

http
  .createServer(async (request, response) => {
    const [status, body] = await answer(request);
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
  })
  .listen(Number(PORT), '127.0.0.1', () => console.log(`http://127.0.0.1:${PORT}`));
