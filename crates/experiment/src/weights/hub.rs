//! Downloads files from the hub.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};
use ureq::http::{HeaderMap, Response};
use ureq::{Agent, Body};

use super::place::{self, BLOCK, BlobPlaces};
use super::{WeightSource, WeightsError};
use crate::console::Step;
use crate::{Console, Error, Interrupt, Result, store};

/// The hub itself.
const HUGGING_FACE: &str = "https://huggingface.co";

/// The environment variable for another server, the same as for `hf-hub` and Python's `huggingface_hub`.
const ENDPOINT: &str = "HF_ENDPOINT";

/// Timeout for a server that sends nothing.
const PATIENCE: Duration = Duration::from_secs(30);

/// Maximum number of redirects. The hub serves large files from another server, which may redirect again.
const REDIRECTS: usize = 5;

/// Maximum size of a file in bytes, so that a server cannot fill the disk. No network here is a quarter as large.
const LARGEST: u64 = 4 << 30;

/// A server with the hub's paths.
#[derive(Debug, Clone)]
pub struct Hub {
    endpoint: String,
    agent: Agent,
}

/// The final answer after redirects, with a body.
struct Answer {
    response: Response<Body>,
    /// The commit of the revision, if the server names it.
    commit: Option<String>,
}

/// The errors of one download.
struct Failures<'a> {
    source: &'a WeightSource,
    url: String,
    path: &'a Path,
}

impl Hub {
    /// Returns the server of the variable `HF_ENDPOINT`, or the hub itself.
    ///
    /// # Errors
    /// As [`Hub::at`].
    pub fn from_env() -> Result<Self> {
        Self::at(&std::env::var(ENDPOINT).unwrap_or_else(|_| HUGGING_FACE.into()))
    }

    /// Returns the server at an address such as `https://huggingface.co`.
    ///
    /// # Errors
    /// [`WeightsError::Source`] if the address is neither http nor https.
    pub fn at(endpoint: &str) -> Result<Self> {
        let endpoint = endpoint.trim_end_matches('/');
        if !is_http(endpoint) {
            return Err(WeightsError::Source(plan::WeightSourceError {
                what: "the hub's address (HF_ENDPOINT)",
                found: endpoint.into(),
                expected: "`https://` or `http://` and a server",
            })
            .into());
        }
        let mut config = Agent::config_builder()
            .max_redirects(0)
            .http_status_as_error(false)
            .accept_encoding("identity")
            .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(Some(PATIENCE))
            .timeout_connect(Some(PATIENCE))
            .timeout_recv_response(Some(PATIENCE))
            .timeout_per_read(Some(PATIENCE));
        if endpoint.contains("//127.0.0.1") || endpoint.contains("//localhost") {
            // A proxy would connect to its own machine.
            config = config.proxy(None);
        }
        Ok(Self { endpoint: endpoint.into(), agent: config.build().into() })
    }

    /// Downloads a file from this server, as [`fetch`](super::fetch) does.
    ///
    /// # Errors
    /// As [`fetch`](super::fetch).
    pub fn fetch(
        &self,
        source: &WeightSource,
        cache: &Path,
        console: &Console,
        interrupt: &Interrupt,
    ) -> Result<PathBuf> {
        source.check().map_err(WeightsError::Source)?;
        let place = BlobPlaces::new(source, &cache.join("weights"));
        if place.sum(interrupt)?.as_ref() == Some(&source.sha256) {
            tracing::info!(file = %place.blob.display(), "published weights are in the cache");
            return Ok(place.blob);
        }
        tracing::info!(url = self.url(source), file = %place.blob.display(), "downloading published weights");
        let name = format!("{} of {}", source.file, source.repository);
        let _lock = store::lock(&place.lock, &name, console, interrupt)?;
        // Another process may have been faster.
        let present = place.sum(interrupt)?;
        if present.as_ref() == Some(&source.sha256) {
            return Ok(place.blob);
        }
        if let Some(found) = &present {
            console.line(&format!(
                "{}: the file has SHA-256 {found}; downloading it again",
                place.blob.display()
            ));
        }
        match self.download(source, &place, console, interrupt) {
            Ok(commit) => {
                place.keep()?;
                if let Some(commit) = commit {
                    place.list(source, &commit);
                }
                Ok(place.blob)
            }
            Err(Error::Weights(e)) => match (*e, present) {
                // Without the network, only the damaged file can be repaired.
                (WeightsError::Unreachable { .. } | WeightsError::NotFound { .. }, Some(found)) => {
                    Err(checksum(source, found, Some(place.blob)))
                }
                (e, _) => Err(e.into()),
            },
            Err(e) => Err(e),
        }
    }

    /// Downloads a small file of at most `limit` bytes without checking its sum; it is not kept.
    ///
    /// # Errors
    /// [`WeightsError`] if it cannot be downloaded, [`Error::Interrupted`].
    pub fn read(&self, source: &WeightSource, limit: u64, interrupt: &Interrupt) -> Result<Vec<u8>> {
        source.check().map_err(WeightsError::Source)?;
        let failures = Failures { source, url: self.url(source), path: Path::new(&source.file) };
        let answer = self.get(&failures, 0, interrupt)?;
        match answer.response.status().as_u16() {
            200 => {}
            status => return Err(failures.status(status, 0)),
        }
        let mut bytes = Vec::new();
        let body = answer.response.into_body().into_reader();
        body.take(limit + 1).read_to_end(&mut bytes).map_err(|e| failures.unreachable(e.to_string(), 0))?;
        if bytes.len() as u64 > limit {
            return Err(failures.unreachable(format!("it has more than {limit} bytes"), 0));
        }
        Ok(bytes)
    }

    fn url(&self, source: &WeightSource) -> String {
        let repository = place::repository(source);
        format!(
            "{}/{}/resolve/{}/{}",
            self.endpoint,
            repository.url(),
            repository.url_revision(),
            source.file
        )
    }

    /// Completes the partial file and checks its sum. Returns its commit, if known.
    fn download(
        &self,
        source: &WeightSource,
        place: &BlobPlaces,
        console: &Console,
        interrupt: &Interrupt,
    ) -> Result<Option<String>> {
        let part = &place.part;
        let mut file = OpenOptions::new()
            .create(true)
            .read(true)
            .append(true)
            .open(part)
            .map_err(Error::io("open", part))?;
        base::files::open(part)?;
        let mut sum = Sha256::new();
        let mut have = place::add(&mut sum, &mut file, part, interrupt)?;
        if have > 0 && place::hex(sum.clone()) == source.sha256 {
            // The previous download was stopped just before its end.
            return Ok(None);
        }
        let failures = Failures { source, url: self.url(source), path: &place.blob };
        loop {
            let answer = self.get(&failures, have, interrupt)?;
            let resumed = match answer.response.status().as_u16() {
                206 if range_start(answer.response.headers()) == Some(have) => have > 0,
                // The whole file, even if a range was requested.
                200 => {
                    (have, sum) = (0, Sha256::new());
                    file.set_len(0).map_err(Error::io("write", part))?;
                    false
                }
                // The partial file does not fit the server's: start over.
                206 | 416 if have > 0 => {
                    (have, sum) = (0, Sha256::new());
                    file.set_len(0).map_err(Error::io("write", part))?;
                    continue;
                }
                status => return Err(failures.status(status, have)),
            };
            let commit = answer.commit.clone();
            receive(answer, &failures, (&mut file, part), &mut sum, &mut have, (console, interrupt))?;
            let found = place::hex(sum);
            if found == source.sha256 {
                file.sync_all().map_err(Error::io("write", part))?;
                return Ok(commit);
            }
            file.set_len(0).map_err(Error::io("write", part))?;
            if !resumed {
                drop(file);
                std::fs::remove_file(part).map_err(Error::io("delete", part))?;
                return Err(checksum(source, found, None));
            }
            // The part from a previous download may be wrong.
            console.line(&format!("{}: the parts do not match the checksum, starting over", source.file));
            (have, sum) = (0, Sha256::new());
        }
    }

    /// Requests the file from byte `from`, and follows redirects.
    fn get(&self, failures: &Failures<'_>, from: u64, interrupt: &Interrupt) -> Result<Answer> {
        let (mut url, mut commit) = (failures.url.clone(), None);
        for _ in 0..=REDIRECTS {
            interrupt.check()?;
            let mut request = self.agent.get(&url);
            if from > 0 {
                request = request.header("Range", format!("bytes={from}-"));
            }
            let response = request.call().map_err(|e| failures.unreachable(e.to_string(), from))?;
            commit = commit.or_else(|| header(&response, "x-repo-commit").and_then(commit_hash));
            if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok(Answer {
                    response,
                    commit: commit.or_else(|| commit_hash(&failures.source.revision)),
                });
            }
            let location = header(&response, "location").unwrap_or_default();
            url = redirected(&url, location)
                .ok_or_else(|| failures.unreachable(format!("it redirects to `{location}`"), from))?;
        }
        Err(failures.unreachable(format!("it redirects more than {REDIRECTS} times"), from))
    }
}

/// Appends an answer's body to the file and to the checksum; `have` is the number of bytes in the file.
fn receive(
    answer: Answer,
    failures: &Failures<'_>,
    (file, path): (&mut File, &Path),
    sum: &mut Sha256,
    have: &mut u64,
    (console, interrupt): (&Console, &Interrupt),
) -> Result<()> {
    let body = answer.response.into_body();
    let total = body.content_length().map(|length| have.saturating_add(length));
    let too_large =
        |bytes| failures.unreachable(format!("it has {bytes} bytes, expected at most {LARGEST}"), 0);
    if let Some(total) = total.filter(|&total| total > LARGEST) {
        return Err(too_large(total));
    }
    let step = progress(console, &failures.source.file, total, *have);
    let mut reader = body.into_reader();
    let mut block = vec![0; BLOCK];
    loop {
        interrupt.check()?;
        let read = match reader.read(&mut block) {
            Ok(0) => break,
            Ok(read) => read,
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            Err(e) => return Err(failures.unreachable(e.to_string(), *have)),
        };
        *have += read as u64;
        if *have > LARGEST {
            file.set_len(0).map_err(Error::io("write", path))?;
            return Err(too_large(*have));
        }
        sum.update(&block[..read]);
        file.write_all(&block[..read]).map_err(Error::io("write", path))?;
        step.set(*have / MEGABYTE, "MB");
    }
    match total {
        Some(total) if *have < total => {
            Err(failures.unreachable(format!("the connection ended after {have} of {total} bytes"), *have))
        }
        _ => Ok(()),
    }
}

const MEGABYTE: u64 = 1_000_000;

/// Starts a progress bar in megabytes.
fn progress(console: &Console, file: &str, total: Option<u64>, have: u64) -> Step {
    match total {
        Some(total) => console.step(file, total / MEGABYTE, have / MEGABYTE),
        None => console.open_step(file),
    }
}

impl Failures<'_> {
    fn unreachable(&self, problem: String, kept: u64) -> Error {
        let WeightSource { repository, file, .. } = self.source.clone();
        WeightsError::Unreachable {
            repository,
            file,
            url: self.url.clone(),
            problem,
            kept,
            path: self.path.into(),
        }
        .into()
    }

    /// Makes the error for an answer that is not a file.
    fn status(&self, status: u16, kept: u64) -> Error {
        if !matches!(status, 401 | 403 | 404 | 410) {
            return self.unreachable(format!("the server answered with status {status}"), kept);
        }
        let WeightSource { repository, revision, file, .. } = self.source.clone();
        let (url, path) = (self.url.clone(), self.path.into());
        WeightsError::NotFound { repository, file, revision, url, status, path }.into()
    }
}

fn checksum(source: &WeightSource, found: String, path: Option<PathBuf>) -> Error {
    let WeightSource { repository, file, sha256: expected, .. } = source.clone();
    WeightsError::Checksum { repository, file, expected, found, path }.into()
}

fn is_http(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
}

fn header<'a>(response: &'a Response<Body>, name: &str) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

/// Returns the text if it is a full commit hash, which is safe as a folder's name.
fn commit_hash(text: &str) -> Option<String> {
    let whole = text.len() == 40 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    whole.then(|| text.to_owned())
}

/// Resolves the target of a redirect: a full address, or a path on the same server.
fn redirected(from: &str, location: &str) -> Option<String> {
    if is_http(location) {
        return Some(location.into());
    }
    let server = from.find("://")? + 3;
    let path = from[server..].find('/').map_or(from.len(), |slash| server + slash);
    (location.starts_with('/') && !location.starts_with("//")).then(|| format!("{}{location}", &from[..path]))
}

/// Returns the first byte of a partial answer: `Content-Range: bytes 100-199/200`.
fn range_start(headers: &HeaderMap) -> Option<u64> {
    let range = headers.get("content-range")?.to_str().ok()?.strip_prefix("bytes ")?;
    range.split_once('-')?.0.trim().parse().ok()
}
