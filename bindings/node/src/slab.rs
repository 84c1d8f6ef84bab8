//! Values by small numbers that JavaScript knows them by.

/// A number and the round in which its place was taken: a number of an earlier round finds nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) index: u32,
    pub(crate) round: u32,
}

struct Place<T> {
    round: u32,
    value: Option<T>,
}

/// Values, each at a place that is used again once it is free.
pub(crate) struct Slab<T> {
    places: Vec<Place<T>>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Slab { places: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slab<T> {
    pub(crate) fn insert(&mut self, value: T) -> Key {
        if let Some(index) = self.free.pop() {
            let place = &mut self.places[index as usize];
            place.value = Some(value);
            return Key { index, round: place.round };
        }
        let index = u32::try_from(self.places.len()).expect("fewer than 2^32 values at a time");
        self.places.push(Place { round: 0, value: Some(value) });
        Key { index, round: 0 }
    }

    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        self.places.get(key.index as usize).filter(|place| place.round == key.round)?.value.as_ref()
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        self.places.get_mut(key.index as usize).filter(|place| place.round == key.round)?.value.as_mut()
    }

    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        let place = self.places.get_mut(key.index as usize).filter(|place| place.round == key.round)?;
        let value = place.value.take()?;
        // Both fit into the 53 bits of a number.
        place.round = (place.round + 1) & 0x1f_ffff;
        self.free.push(key.index);
        Some(value)
    }

    pub(crate) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Removes all; what was there comes back.
    pub(crate) fn take_all(&mut self) -> Vec<T> {
        self.free.clear();
        self.places.drain(..).filter_map(|place| place.value).collect()
    }
}

/// JavaScript holds a key as one number: its index, and above 2^32 its round.
impl From<Key> for f64 {
    fn from(key: Key) -> f64 {
        f64::from(key.index) + f64::from(key.round) * 4_294_967_296.0
    }
}

impl From<f64> for Key {
    fn from(number: f64) -> Key {
        let number = number as u64;
        Key { index: number as u32, round: (number >> 32) as u32 }
    }
}
