//! Something that listens on this machine, writes down the first line of each request, and refuses
//! it: a proxy, or what stands behind one.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

const REFUSAL: &[u8] =
    b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

pub struct Listener {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Listener {
    /// It listens until the test's process ends.
    pub fn start() -> Self {
        let listener = TcpListener::bind("0.0.0.0:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        thread::spawn(move || {
            for connection in listener.incoming().filter_map(Result::ok) {
                if let Some(line) = first_line(&connection) {
                    // Before the answer: whoever has it may look.
                    seen.lock().unwrap().push(line);
                    let _ = (&connection).write_all(REFUSAL);
                }
            }
        });
        Self { address, requests }
    }

    /// Its http URL under this name of the machine.
    pub fn url(&self, host: &str) -> String {
        format!("http://{host}:{}", self.address.port())
    }

    /// The first lines of all requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// Reads the whole head, so that closing does not reset the connection before it is answered.
fn first_line(connection: &TcpStream) -> Option<String> {
    connection.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let mut lines = BufReader::new(connection).lines().map_while(Result::ok);
    let first = lines.next()?;
    lines.any(|line| line.is_empty()).then_some(first)
}
