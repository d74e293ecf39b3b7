//! The other side of an engine in tests: a bounded queue of events.

use std::sync::{Arc, Mutex};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::base::Partition;
use crate::channel::Event;
use crate::engine::{EngineError, EventSink, Pending, Place};

/// All partitions share the places. An event holds its place until it is taken.
#[derive(Clone, Debug)]
pub(crate) struct TestSink {
    places: Arc<Semaphore>,
    events: Arc<Mutex<Vec<Event>>>,
    /// Somebody found no place.
    full: Arc<Notify>,
    emitted: Arc<Notify>,
}

#[derive(Debug)]
struct TestPlace {
    sink: TestSink,
    permit: OwnedSemaphorePermit,
}

impl TestSink {
    pub(crate) fn new(places: usize) -> Arc<Self> {
        Arc::new(Self {
            places: Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS))),
            events: Arc::default(),
            full: Arc::default(),
            emitted: Arc::default(),
        })
    }

    /// Everything that was emitted since the last time, in order; never waits.
    pub(crate) fn take(&self) -> Vec<Event> {
        let events = std::mem::take(&mut *self.events.lock().unwrap());
        self.places.add_permits(events.len());
        events
    }

    /// As [`TestSink::take`], but waits for an event.
    pub(crate) async fn some(&self) -> Vec<Event> {
        loop {
            let emitted = self.emitted.notified();
            let events = self.take();
            if !events.is_empty() {
                return events;
            }
            emitted.await;
        }
    }

    /// Drives a publish until it waits for a place.
    pub(crate) async fn until_full<T: std::fmt::Debug>(&self, publish: &mut Pending<'_, T>) {
        tokio::select! {
            done = publish => panic!("published into a full sink: {done:?}"),
            () = self.full.notified() => {}
        }
    }

    /// Refuses whoever wants a place from here on.
    pub(crate) fn close(&self) {
        self.places.close();
    }

    pub(crate) fn places_free(&self) -> usize {
        self.places.available_permits()
    }
}

impl EventSink for TestSink {
    fn reserve(&self, _: Partition) -> Pending<'_, Result<Box<dyn Place>, EngineError>> {
        Box::pin(async move {
            if self.places.available_permits() == 0 {
                self.full.notify_one();
            }
            let permit = Arc::clone(&self.places).acquire_owned().await;
            let permit = permit.map_err(|_closed| EngineError::Unavailable("the sink has gone"))?;
            Ok(Box::new(TestPlace { sink: self.clone(), permit }) as Box<dyn Place>)
        })
    }
}

impl Place for TestPlace {
    fn emit(self: Box<Self>, event: Event) {
        self.permit.forget();
        self.sink.events.lock().unwrap().push(event);
        self.sink.emitted.notify_one();
    }
}
