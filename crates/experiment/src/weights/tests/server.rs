//! A local server with the hub's paths.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use crate::Interrupt;

/// The behaviour of the server; it serves the file `content`.
#[derive(Debug, Clone, Default)]
pub(super) struct Behaviour {
    pub(super) content: Vec<u8>,
    /// The first answer's connection ends after this number of bytes of the body.
    pub(super) break_after: Option<usize>,
    /// Ignores ranges.
    pub(super) no_ranges: bool,
    /// Address prefix of another server for the content, such as the hub has.
    pub(super) redirect_to: Option<String>,
    /// Answers every request with this status.
    pub(super) status: Option<u16>,
    /// Sends the body in chunks, without its length.
    pub(super) chunked: bool,
    /// Announces this length of the body.
    pub(super) announced: Option<u64>,
    /// The commit that it names, instead of [`COMMIT`].
    pub(super) commit: Option<&'static str>,
    /// Raised after the first piece of a body.
    pub(super) raises: Interrupt,
}

/// A received request.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Seen {
    pub(super) path: String,
    pub(super) range: Option<String>,
    /// Bytes of the body that were sent or are about to be sent.
    pub(super) sent: usize,
}

pub(super) struct Server {
    pub(super) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// The commit of the server's branch.
pub(super) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

impl Server {
    pub(super) fn new(mut behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (seen, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let thread = std::thread::spawn({
            let (seen, stop) = (Arc::clone(&seen), Arc::clone(&stop));
            move || {
                for stream in listener.incoming() {
                    if stop.load(Ordering::SeqCst) {
                        break;
                    }
                    // Some tests disconnect in the middle.
                    let _gone = answer(&stream.unwrap(), &mut behaviour, &seen);
                }
            }
        });
        Self { url, seen, stop, thread: Some(thread) }
    }

    /// Returns all requests so far, in order.
    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the server, which then checks the flag.
        let _woken = TcpStream::connect(self.url.trim_start_matches("http://"));
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// Records a request before it is answered, and every piece before it is sent: everything that a
/// client has received is in the record.
fn answer(mut stream: &TcpStream, behaviour: &mut Behaviour, notes: &Mutex<Vec<Seen>>) -> Option<()> {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let mut range = None;
    for line in lines.take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':')?;
        if name.eq_ignore_ascii_case("range") {
            range = Some(value.trim().to_owned());
        }
    }
    notes.lock().unwrap().push(Seen { path: path.clone(), range: range.clone(), sent: 0 });
    let from = range.as_deref().and_then(|r| r.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    let from: usize = if behaviour.no_ranges { 0 } else { from.unwrap_or(0) };
    let length = behaviour.content.len();
    let commit = behaviour.commit.unwrap_or(COMMIT);
    let common = format!("ETag: \"../etag\"\r\nX-Repo-Commit: {commit}\r\nConnection: close\r\n");
    let mut send = |bytes: &[u8]| stream.write_all(bytes).and_then(|()| stream.flush()).is_ok();
    let mut head = |line: &str, more: &str| send(format!("HTTP/1.1 {line}\r\n{common}{more}\r\n").as_bytes());
    if let Some(status) = behaviour.status {
        head(&format!("{status} Refused"), "Content-Length: 0\r\n");
    } else if let Some(to) = behaviour.redirect_to.as_ref().filter(|_| path.contains("/resolve/")) {
        head("302 Found", &format!("Location: {to}{path}\r\nContent-Length: 0\r\n"));
    } else if from > 0 && from >= length {
        head("416 Range Not Satisfiable", "Content-Length: 0\r\n");
    } else {
        let body = &behaviour.content[from..];
        let size = if behaviour.chunked {
            "Transfer-Encoding: chunked\r\n".into()
        } else {
            format!("Content-Length: {}\r\n", behaviour.announced.unwrap_or(body.len() as u64))
        };
        if from > 0 {
            let range = format!("Content-Range: bytes {from}-{}/{length}\r\n", length - 1);
            head("206 Partial Content", &format!("{size}{range}"));
        } else {
            head("200 OK", &size);
        }
        let cut = behaviour.break_after.take();
        for piece in body[..cut.unwrap_or(body.len())].chunks(10_000) {
            let framed = match behaviour.chunked {
                true => [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat(),
                false => piece.to_vec(),
            };
            notes.lock().unwrap().last_mut()?.sent += piece.len();
            if !send(&framed) {
                break;
            }
            behaviour.raises.flag().store(true, Ordering::SeqCst);
        }
        if behaviour.chunked && cut.is_none() {
            send(b"0\r\n\r\n");
        }
    }
    Some(())
}
