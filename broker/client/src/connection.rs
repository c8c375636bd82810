//! How does a request get its answer?

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wire::request::{self, API_VERSIONS, Head};
use wire::{frame, response};

use crate::error::Error;

/// An answer may hold the largest fetch and what surrounds it.
const RESPONSE_BYTES_MAX: usize = 128 * 1024 * 1024;
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);
const CLIENT_ID: &str = "frazil";
const UNSUPPORTED_VERSION: i16 = 35;

/// A client of one node.
pub struct Client {
    addr: String,
    timeout: Duration,
    /// `None` after a failure, until the next call.
    connection: Option<Connection>,
}

struct Connection {
    socket: TcpStream,
    received: BytesMut,
    correlation_id: i32,
    /// First and last version of each API that the node speaks.
    versions: HashMap<i16, (i16, i16)>,
}

/// An API with the newest version that this client uses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Api {
    pub(crate) key: i16,
    pub(crate) name: &'static str,
    pub(crate) first: i16,
    pub(crate) last: i16,
}

impl Api {
    /// Versions `first..=last` must lie in the table of layouts.
    pub(crate) const fn new(key: i16, name: &'static str, first: i16, last: i16) -> Api {
        Api { key, name, first, last }
    }
}

/// An answer and the version it has.
pub(crate) type Versioned<T> = (T, i16);

impl Client {
    /// Opens the connection and asks which versions the node speaks.
    pub async fn connect(addr: &str) -> Result<Client, Error> {
        let mut client = Client { addr: addr.to_owned(), timeout: TIMEOUT_DEFAULT, connection: None };
        client.connected().await?;
        Ok(client)
    }

    /// How long a call may take; 30 seconds unless set.
    pub fn with_timeout(mut self, timeout: Duration) -> Client {
        self.timeout = timeout;
        self
    }

    pub fn addr(&self) -> &str {
        &self.addr
    }

    pub(crate) fn timeout_ms(&self) -> i32 {
        i32::try_from(self.timeout.as_millis()).unwrap_or(i32::MAX)
    }

    pub(crate) fn nonsense(&self, api: Api, why: impl Into<String>) -> Error {
        Error::Nonsense { addr: self.addr.clone(), api: api.name, why: why.into() }
    }

    /// Sends what `request` makes for the chosen version, and waits for the answer, at most `wait` longer than usual.
    pub(crate) async fn call<Q: Encodable, R: Decodable>(
        &mut self,
        api: Api,
        wait: Duration,
        request: impl FnOnce(i16) -> Q,
    ) -> Result<R, Error> {
        Ok(self.call_versioned(api, wait, request).await?.0)
    }

    /// As `call`, with the version that was chosen.
    pub(crate) async fn call_versioned<Q: Encodable, R: Decodable>(
        &mut self,
        api: Api,
        wait: Duration,
        request: impl FnOnce(i16) -> Q,
    ) -> Result<Versioned<R>, Error> {
        let (version, frame, correlation_id) = self.prepare(api, request).await?;
        let answer = self.exchange(api, wait, frame, true).await?;
        let (answered, message) =
            response::decode(api.key, version, answer).map_err(|error| self.nonsense(api, error.to_string()))?;
        match answered == correlation_id {
            true => Ok((message, version)),
            false => {
                self.connection = None;
                Err(self.nonsense(api, format!("it answers request {answered}, not {correlation_id}")))
            }
        }
    }

    /// Sends a request that has no answer.
    pub(crate) async fn tell<Q: Encodable>(&mut self, api: Api, request: impl FnOnce(i16) -> Q) -> Result<(), Error> {
        let (_, frame, _) = self.prepare(api, request).await?;
        self.exchange(api, Duration::ZERO, frame, false).await.map(drop)
    }

    async fn prepare<Q: Encodable>(
        &mut self,
        api: Api,
        request: impl FnOnce(i16) -> Q,
    ) -> Result<(i16, Bytes, i32), Error> {
        let addr = self.addr.clone();
        let connection = self.connected().await?;
        let unsupported = || Error::Unsupported { addr, api: api.name, first: api.first, last: api.last };
        let (first, last) = connection.versions.get(&api.key).copied().ok_or_else(unsupported.clone())?;
        let version = last.min(api.last);
        if version < first.max(api.first) {
            return Err(unsupported());
        }
        connection.correlation_id = connection.correlation_id.wrapping_add(1);
        let correlation_id = connection.correlation_id;
        let head = head(api.key, version, correlation_id);
        let frame = request::encode(&head, &request(version)).map_err(|error| Error::Refused {
            what: format!("{} cannot be asked", api.name),
            code: UNSUPPORTED_VERSION,
            message: error.to_string(),
        })?;
        Ok((version, frame, correlation_id))
    }

    /// Writes a frame and reads one, if one is wanted. After a failure the connection is given up: a late answer would
    /// be taken for that of the next request.
    async fn exchange(&mut self, api: Api, wait: Duration, frame: Bytes, answered: bool) -> Result<Bytes, Error> {
        let limit = self.timeout.saturating_add(wait);
        let mut connection = self.connection.take().expect("prepare() has connected");
        let talk = async {
            connection.socket.write_all(&frame).await.map_err(|error| error.to_string())?;
            let answer = if answered { connection.read().await? } else { Bytes::new() };
            Ok::<_, String>((connection, answer))
        };
        match tokio::time::timeout(limit, talk).await {
            Err(_) => Err(self.timed_out(api, limit)),
            Ok(Err(why)) => Err(Error::Broken { addr: self.addr.clone(), api: api.name, why }),
            Ok(Ok((connection, answer))) => {
                self.connection = Some(connection);
                Ok(answer)
            }
        }
    }

    fn timed_out(&self, api: Api, limit: Duration) -> Error {
        Error::Timeout { addr: self.addr.clone(), api: api.name, limit_ms: limit.as_millis() }
    }

    async fn connected(&mut self) -> Result<&mut Connection, Error> {
        if self.connection.is_none() {
            let connect = Connection::open(&self.addr);
            let opened = within(self.timeout, connect).await.unwrap_or_else(|| Err("it does not answer".into()));
            let opened = opened.map_err(|why| Error::Connect { addr: self.addr.clone(), why })?;
            self.connection = Some(opened);
        }
        Ok(self.connection.as_mut().expect("opened above"))
    }
}

async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(limit, work).await.ok()
}

fn head(api_key: i16, api_version: i16, correlation_id: i32) -> Head {
    Head { api_key, api_version, correlation_id, client_id: Some(CLIENT_ID.to_owned()) }
}

impl Connection {
    async fn open(addr: &str) -> Result<Connection, String> {
        let socket = TcpStream::connect(addr).await.map_err(|error| error.to_string())?;
        // Requests are small and wait for their answers.
        socket.set_nodelay(true).map_err(|error| error.to_string())?;
        let mut connection =
            Connection { socket, received: BytesMut::new(), correlation_id: 0, versions: HashMap::new() };
        connection.ask_versions().await?;
        Ok(connection)
    }

    /// ApiVersions 3; a node that does not know it answers with error 35 in the shape of version 0 (KIP-511).
    async fn ask_versions(&mut self) -> Result<(), String> {
        let request = ApiVersionsRequest::default()
            .with_client_software_name(StrBytes::from_static_str(CLIENT_ID))
            .with_client_software_version(StrBytes::from_static_str(env!("CARGO_PKG_VERSION")));
        let frame = request::encode(&head(API_VERSIONS, 3, 0), &request).map_err(|error| error.to_string())?;
        self.socket.write_all(&frame).await.map_err(|error| error.to_string())?;
        let answer = self.read().await?;
        let code = answer.get(4..).and_then(|mut body| body.try_get_i16().ok());
        let version = if code == Some(UNSUPPORTED_VERSION) { 0 } else { 3 };
        let (_, answer) = response::decode::<ApiVersionsResponse>(API_VERSIONS, version, answer)
            .map_err(|error| error.to_string())?;
        if answer.error_code != 0 && version == 3 {
            return Err(format!("it answers ApiVersions with error {}", answer.error_code));
        }
        self.versions = answer.api_keys.iter().map(|api| (api.api_key, (api.min_version, api.max_version))).collect();
        Ok(())
    }

    async fn read(&mut self) -> Result<Bytes, String> {
        loop {
            if let Some(frame) =
                frame::take(&mut self.received, RESPONSE_BYTES_MAX).map_err(|error| error.to_string())?
            {
                return Ok(frame);
            }
            if self.socket.read_buf(&mut self.received).await.map_err(|error| error.to_string())? == 0 {
                return Err("the node closed it".to_owned());
            }
        }
    }
}
