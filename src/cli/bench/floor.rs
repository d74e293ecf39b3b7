//! `nearcast bench floor`: the same bytes to as many connections over plain TCP, with one task for
//! each and as many bytes in one write as wait. What a server spends beyond this is its own.
//!
//! A connection begins with one byte that tells subscriber from publisher and is answered with the
//! same byte. A publisher then sends messages, each behind its length in four bytes, most
//! significant first.

use std::io::IoSlice;
use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use clap::{Args, Subcommand};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{JoinSet, LocalSet};

use super::BenchError;
use super::dial::{Dialer, PUBLISHER, SUBSCRIBER};
use super::fan_out::{LoadArgs, connect_source, measure};
use super::report::finish;
use super::tally::WINDOW_MAX;
use crate::base::limits;
use crate::cli::{Outcome, complain, on_this_thread, print};

#[derive(Clone, Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(in crate::cli) struct FloorArgs {
    #[command(subcommand)]
    command: Option<FloorCommand>,
    /// Where `nearcast bench floor serve` listens
    #[arg(long, required = true)]
    address: Option<SocketAddr>,
    #[command(flatten)]
    load: LoadArgs,
    /// The server's process
    #[arg(long)]
    pid: Option<u32>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum FloorCommand {
    /// Be the server; prints address and process as one line of JSON
    Serve,
}

pub(super) fn run(arguments: &FloorArgs) -> Outcome {
    let FloorArgs { command, address, load, pid, json } = arguments;
    let Some(address) = address.filter(|_| command.is_none()) else { return run_server() };
    let measured = on_this_thread(LocalSet::new().run_until(async {
        let dialer = Dialer::floor(address);
        let source = connect_source(&dialer, load).await?;
        measure(&dialer, load, source, *pid).await
    }));
    finish(measured, *json)
}

fn run_server() -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let served = runtime.map_err(BenchError::Listen).and_then(|runtime| {
        runtime.block_on(async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
            let listener = listener.map_err(BenchError::Listen)?;
            let address = listener.local_addr().map_err(BenchError::Listen)?;
            print(&json!({"address": address, "pid": std::process::id()}).to_string());
            serve(listener).await
        })
    });
    match served {
        Ok(()) => Outcome::Done,
        Err(fault) => {
            complain(&fault);
            Outcome::Failed
        }
    }
}

/// What connections tell the one task that fans out.
enum Told {
    Subscribed(mpsc::Sender<Bytes>),
    Published(Bytes),
}

/// Serves until it is killed.
pub(super) async fn serve(listener: TcpListener) -> Result<(), BenchError> {
    let mut tasks = JoinSet::new();
    // When it is full, publishers wait.
    let (tell, told) = mpsc::channel(WINDOW_MAX);
    tasks.spawn(fan_out(told));
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _peer) = accepted.map_err(BenchError::Listen)?;
                let tell = tell.clone();
                tasks.spawn(async move {
                    // Its end is the connection's; the client tells what it missed.
                    drop(connection(stream, tell).await);
                });
            }
            Some(ended) = tasks.join_next() => drop(ended),
        }
    }
}

async fn fan_out(mut told: mpsc::Receiver<Told>) {
    let mut subscribers = Vec::new();
    while let Some(told) = told.recv().await {
        match told {
            Told::Subscribed(subscriber) => subscribers.push(subscriber),
            // Full queues do not happen to a client that keeps to its window.
            Told::Published(message) => {
                subscribers.retain(|subscriber| subscriber.try_send(message.clone()).is_ok());
            }
        }
    }
}

async fn connection(mut stream: TcpStream, tell: mpsc::Sender<Told>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let gone = || std::io::Error::from(std::io::ErrorKind::BrokenPipe);
    match stream.read_u8().await? {
        SUBSCRIBER => {
            // When it is full, the subscriber is dropped.
            let (sender, queue) = mpsc::channel(WINDOW_MAX);
            tell.send(Told::Subscribed(sender)).await.map_err(|_fault| gone())?;
            stream.write_all(&[SUBSCRIBER]).await?;
            write_out(stream, queue).await
        }
        PUBLISHER => {
            stream.write_all(&[PUBLISHER]).await?;
            let mut stream = BufReader::new(stream);
            loop {
                let length = usize::try_from(stream.read_u32().await?).unwrap_or(usize::MAX);
                if length > limits::CLIENT_MESSAGE_BYTES {
                    return Err(gone());
                }
                let mut message = vec![0; length];
                stream.read_exact(&mut message).await?;
                let published = tell.send(Told::Published(message.into())).await;
                published.map_err(|_fault| gone())?;
            }
        }
        _ => Ok(()),
    }
}

/// Writes what waits, as much at a time as the kernel takes.
async fn write_out(mut stream: TcpStream, mut queue: mpsc::Receiver<Bytes>) -> std::io::Result<()> {
    let mut waiting = Vec::with_capacity(SLICES);
    while queue.recv_many(&mut waiting, SLICES).await > 0 {
        let mut slices: Vec<_> = waiting.iter().map(|message| IoSlice::new(message)).collect();
        let mut slices = &mut slices[..];
        while !slices.is_empty() {
            let written = stream.write_vectored(slices).await?;
            if written == 0 {
                return Err(std::io::ErrorKind::WriteZero.into());
            }
            IoSlice::advance_slices(&mut slices, written);
        }
        waiting.clear();
    }
    Ok(())
}

/// Messages in one write.
const SLICES: usize = 64;
