//! Talking to a gateway's REST API.
//!
//! Lives here: requests, answers, pages; answers that go on are read in `follow`. Never: what is asked for.

mod follow;

pub use follow::Followed;

use super::args::GatewayArgs;
use super::exit::{Exit, Failure};
use super::gateway::{self, TOKEN};
use super::key::Key;
use super::saved::Saved;
use brattice_admin::call::NEXT_HEADER;
use brattice_admin::problem::{MEDIA_TYPE, Problem};
use brattice_core::secret::Secret;
use reqwest::{Certificate, Method, RequestBuilder, Response, redirect};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::Path;
use std::time::Duration;
use tokio::runtime::Runtime;
use url::Url;

/// The largest answer that is read.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How long an answer may take; waiting for audit entries is the longest wait there is.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(60);
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(5);

/// A way to one gateway, as nobody yet.
pub struct Link {
    http: reqwest::Client,
    base: Url,
    runtime: Runtime,
}

/// A client for one gateway, as one caller.
pub struct Client {
    link: Link,
    token: Secret,
    /// What the token is bound to.
    key: Option<Key>,
    /// What to do when the token is not taken, which depends on where it came from.
    mend: String,
}

impl Link {
    /// Makes ready; nothing is sent yet.
    pub fn new(base: Url, ca: Option<&Path>) -> Result<Self, Failure> {
        let mut http = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_WAIT_MAX)
            .timeout(ANSWER_WAIT_MAX)
            .user_agent(concat!("brattice/", env!("CARGO_PKG_VERSION")));
        if base.scheme() == "http" {
            http = http.no_proxy();
        }
        if let Some(path) = ca {
            let pem = std::fs::read(path).map_err(|why| {
                Failure::usage(format!("{} cannot be read: {why}", path.display()))
            })?;
            let authorities = Certificate::from_pem_bundle(&pem).map_err(|_| {
                Failure::usage(format!("{} holds no PEM certificate", path.display()))
            })?;
            if authorities.is_empty() {
                return Err(Failure::usage(format!(
                    "{} holds no PEM certificate",
                    path.display()
                )));
            }
            http = http.tls_certs_only(authorities);
        }
        let http = http
            .build()
            .map_err(|why| Failure::failed(format!("no client could be made: {why}")))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|why| Failure::failed(format!("no runtime could be made: {why}")))?;
        Ok(Self {
            http,
            base,
            runtime,
        })
    }

    /// The gateway's address.
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// What runs what waits.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// Reads a document that is published to everyone.
    pub fn published<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        let mut url = self.base.clone();
        url.set_path(path);
        let answer = self.send(self.http.get(url))?;
        parse(&answer.0)
    }

    /// Sends a form to one of OAuth's endpoints; the form itself holds the proof, but for that of holding a key.
    pub fn form<T: DeserializeOwned>(
        &self,
        path: &str,
        form: &[(&str, &str)],
        key: Option<&Key>,
    ) -> Result<T, Failure> {
        let mut url = self.base.clone();
        url.set_path(path);
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(form);
        let request = self
            .http
            .post(url.clone())
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.finish());
        let request = match key {
            Some(key) => key.proving(request, "POST", &url, None)?,
            None => request,
        };
        let answer = self.send(request)?;
        parse(&answer.0)
    }

    fn send(&self, request: RequestBuilder) -> Result<(Vec<u8>, Option<u64>), Failure> {
        self.runtime.block_on(async {
            let response = request.send().await.map_err(|why| self.unreachable(&why))?;
            self.read(response).await
        })
    }

    async fn read(&self, mut response: Response) -> Result<(Vec<u8>, Option<u64>), Failure> {
        let status = response.status();
        let header = |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok());
        let is_problem = header("content-type").is_some_and(|media| media.starts_with(MEDIA_TYPE));
        let next = header(NEXT_HEADER).and_then(|n| n.parse().ok());
        let mut bytes = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|why| self.unreachable(&why))?
        {
            if bytes.len().saturating_add(chunk.len()) > ANSWER_BYTES_MAX {
                return Err(Failure::new(Exit::Unreachable, "the answer is too large"));
            }
            bytes.extend_from_slice(&chunk);
        }
        if status.is_success() {
            return Ok((bytes, next));
        }
        if let Ok(refused) = serde_json::from_slice::<OauthRefused>(&bytes) {
            return Err(refused.into());
        }
        match serde_json::from_slice::<Problem>(&bytes) {
            Ok(problem) if is_problem => Err(problem.into()),
            _ => Err(Failure::new(
                Exit::Unreachable,
                format!("{} answered {status}, and not as a gateway does", self.base),
            )
            .hint("is --url the address of the gateway's REST API?")),
        }
    }

    fn unreachable(&self, why: &reqwest::Error) -> Failure {
        let mut cause: &dyn std::error::Error = why;
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        let cause = cause.to_string();
        let hint = if cause.contains("CaUsedAsEndEntity") {
            "its certificate is an authority's: make one for the gateway itself, with basicConstraints=CA:FALSE"
        } else if cause.contains("InvalidContentType") {
            "what answers there does not speak TLS: is it http://…, or another port?"
        } else {
            "is the gateway running, is --url right, and does --ca name the authority of its certificate?"
        };
        Failure::new(
            Exit::Unreachable,
            format!("{} could not be reached: {cause}", self.base),
        )
        .hint(hint)
    }
}

impl Client {
    /// Makes ready, with the token that is given, or that of whoever signed in.
    pub fn new(args: &GatewayArgs) -> Result<Self, Failure> {
        let saved = Saved::open()?;
        let place = gateway::place(args, &saved)?;
        let link = Link::new(place.url, place.ca.as_deref())?;
        let given = gateway::given_token(args)?;
        let mend = match (&given, &args.token_file) {
            (None, _) => "your sign-in has ended: sign in again with `brattice login`".to_owned(),
            (Some(_), Some(file)) if file.as_os_str() == "-" => {
                "the token from standard input has ended or was revoked, or is not for this gateway: get a fresh one".to_owned()
            }
            (Some(_), Some(file)) => {
                let file = file.display();
                format!("the token in {file} has ended or was revoked, or is not for this gateway: get a fresh one")
            }
            (Some(_), None) => {
                let instead = match saved.of(link.base())? {
                    Some(_) => ", or unset it and your sign-in is used",
                    None => "",
                };
                format!("the token in {TOKEN} has ended or was revoked, or is not for this gateway: get a fresh one{instead}")
            }
        };
        let (token, key) = match given {
            Some(token) => {
                let key = saved.key_of(&token)?;
                (token, key)
            }
            None => saved.token(&link)?,
        };
        Ok(Self {
            link,
            token,
            key,
            mend,
        })
    }

    /// Reads a JSON document.
    pub fn get<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &[(&str, String)],
    ) -> Result<T, Failure> {
        let (bytes, _) = self.send(Method::GET, path, query, None::<&()>)?;
        parse(&bytes)
    }

    /// Does something, with a body.
    pub fn post<T: DeserializeOwned>(
        &self,
        path: &[&str],
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        let (bytes, _) = self.send(Method::POST, path, &[], Some(body))?;
        parse(&bytes)
    }

    /// Sends a form to one of OAuth's endpoints; the form itself holds the proof.
    pub fn form<T: DeserializeOwned>(
        &self,
        path: &str,
        form: &[(&str, &str)],
    ) -> Result<T, Failure> {
        self.link.form(path, form, self.key.as_ref())
    }

    /// The token of whoever calls.
    pub fn token(&self) -> &Secret {
        &self.token
    }

    /// Does something, without a body.
    pub fn act<T: DeserializeOwned>(&self, path: &[&str]) -> Result<T, Failure> {
        let (bytes, _) = self.send(Method::POST, path, &[], None::<&()>)?;
        parse(&bytes)
    }

    /// Reads a page of JSON documents, one a line, and where to go on.
    pub fn page<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &[(&str, String)],
    ) -> Result<(Vec<T>, Option<u64>), Failure> {
        let (bytes, next) = self.send(Method::GET, path, query, None::<&()>)?;
        let items = bytes
            .split(|b| *b == b'\n')
            .filter(|line| !line.is_empty())
            .map(parse)
            .collect::<Result<_, _>>()?;
        Ok((items, next))
    }

    /// Reads bytes.
    pub fn octets(&self, path: &[&str], query: &[(&str, String)]) -> Result<Vec<u8>, Failure> {
        Ok(self.send(Method::GET, path, query, None::<&()>)?.0)
    }

    fn send<B: Serialize>(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, String)],
        body: Option<&B>,
    ) -> Result<(Vec<u8>, Option<u64>), Failure> {
        let request = self.request(method, path, query, body)?;
        let sent = self.link.send(request);
        sent.map_err(|failure| self.explained(failure))
    }

    fn request<B: Serialize>(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, String)],
        body: Option<&B>,
    ) -> Result<RequestBuilder, Failure> {
        let mut url = self.link.base.clone();
        match url.path_segments_mut() {
            Ok(mut segments) => {
                segments.pop_if_empty().extend(["api", "v1"]).extend(path);
            }
            Err(()) => return Err(Failure::usage("the gateway's address cannot have a path")),
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let token = self.token.expose_str().unwrap_or_default();
        let mut request = self.link.http.request(method.clone(), url.clone());
        request = match &self.key {
            None => request.bearer_auth(token),
            Some(key) => {
                let bound = request.header("authorization", format!("DPoP {token}"));
                key.proving(bound, method.as_str(), &url, Some(&self.token))?
            }
        };
        if let Some(body) = body {
            request = request.json(body);
        }
        Ok(request)
    }

    /// What to do about a token that is not taken depends on where it came from.
    fn explained(&self, failure: Failure) -> Failure {
        let refused = failure.problem.as_ref();
        match refused.is_some_and(|p| p.status == 401) {
            true => Failure {
                what: format!("{} did not take your token", self.link.base),
                ..failure.hint(self.mend.clone())
            },
            false => failure,
        }
    }
}

/// A refusal in OAuth's form (RFC 6749, section 5.2).
#[derive(serde::Deserialize)]
struct OauthRefused {
    error: String,
    error_description: String,
}

impl From<OauthRefused> for Failure {
    fn from(refused: OauthRefused) -> Self {
        let exit = match refused.error.as_str() {
            "invalid_grant" => Exit::NotPermitted,
            _ => Exit::Failed,
        };
        let what = format!("{} ({})", refused.error_description, refused.error);
        let mut failure = Failure::new(exit, what);
        if refused.error == "invalid_dpop_proof" {
            failure = failure.hint("is the clock of this machine right?");
        }
        Failure {
            oauth: Some(refused.error),
            ..failure
        }
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(bytes).map_err(|why| {
        Failure::new(
            Exit::Unreachable,
            format!("the gateway's answer is not understood: {why}"),
        )
        .hint("is the gateway of the same version as this program?")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    /// A client, and a server that answers one request with exactly this and returns what it was sent.
    fn answering(answer: &'static str) -> (Client, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}/prefix/", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let mut seen = Vec::new();
            let mut buffer = [0; 4096];
            while !seen.windows(4).any(|w| w == b"\r\n\r\n") {
                let read = socket.read(&mut buffer).unwrap();
                seen.extend_from_slice(&buffer[..read]);
            }
            socket.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(seen).unwrap()
        });
        let client = Client {
            link: Link::new(base.parse().unwrap(), None).unwrap(),
            token: Secret::new("the-token"),
            key: None,
            mend: "mend it".to_owned(),
        };
        (client, server)
    }

    fn exit_of(answer: &'static str) -> Exit {
        let (client, server) = answering(answer);
        let failure = client
            .get::<serde_json::Value>(&["whoami"], &[])
            .unwrap_err();
        server.join().unwrap();
        if failure.exit == Exit::NotPermitted && answer.contains(" 401 ") {
            assert_eq!(failure.hint.as_deref(), Some("mend it"));
        }
        failure.exit
    }

    #[test]
    fn a_request_names_its_path_in_parts_and_carries_the_token_in_a_header() {
        let (client, server) = answering(
            "HTTP/1.1 200 OK\r\nbrattice-next: 7\r\ncontent-length: 8\r\n\r\n{}\n\n{}\n\n",
        );
        let query = [("a", "b c&d".to_owned())];
        let (items, next): (Vec<serde_json::Value>, _) =
            client.page(&["sessions", "../x?y"], &query).unwrap();
        assert_eq!((items.len(), next), (2, Some(7)));
        let request = server.join().unwrap();
        assert!(
            request.starts_with("GET /prefix/api/v1/sessions/..%2Fx%3Fy?a=b+c%26d HTTP/1.1"),
            "{request}"
        );
        assert!(request.contains("authorization: Bearer the-token"));
    }

    #[test]
    fn exit_codes_say_who_refused() {
        let problem = |status: u16, code: &str| {
            let body = serde_json::to_string(&Problem::new(
                axum::http::StatusCode::from_u16(status).unwrap(),
                code,
                "no",
            ))
            .unwrap();
            let head = format!(
                "HTTP/1.1 {status} X\r\ncontent-type: {MEDIA_TYPE}\r\ncontent-length: {}",
                body.len()
            );
            &*Box::leak(format!("{head}\r\n\r\n{body}").into_boxed_str())
        };
        assert_eq!(exit_of(problem(401, "unauthenticated")), Exit::NotPermitted);
        assert_eq!(exit_of(problem(403, "forbidden")), Exit::NotPermitted);
        assert_eq!(exit_of(problem(409, "question_closed")), Exit::Failed);
        assert_eq!(exit_of(problem(503, "unavailable")), Exit::Unreachable);
    }

    #[test]
    fn what_is_no_gateway_is_not_taken_for_one() {
        assert_eq!(
            exit_of("HTTP/1.1 403 X\r\ncontent-length: 4\r\n\r\nnope"),
            Exit::Unreachable
        );
        assert_eq!(
            exit_of("HTTP/1.1 302 X\r\nlocation: /\r\ncontent-length: 0\r\n\r\n"),
            Exit::Unreachable
        );
        assert_eq!(
            exit_of("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>"),
            Exit::Unreachable
        );
    }
}
