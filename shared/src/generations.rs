//! A memory that is bounded, and forgets what nobody asked for.

use std::{borrow::Borrow, collections::HashMap, hash::Hash, mem};

/// Two generations: when the young one has half of the entries, it becomes the old one, and what nobody asked for since
/// the time before is forgotten. Who floods it with new keys pushes out nothing
/// that is asked for between two turns.
#[derive(Debug)]
pub struct Generations<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    most: usize,
}

impl<K: Eq + Hash, V> Generations<K, V> {
    /// For at most `most` entries.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), most }
    }

    pub fn get<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        if !self.young.contains_key(key) {
            let (key, value) = self.old.remove_entry(key)?;
            self.keep(key, value);
        }
        self.young.get_mut(key)
    }

    pub fn insert(&mut self, key: K, value: V) {
        self.old.remove(&key);
        self.keep(key, value);
    }

    fn keep(&mut self, key: K, value: V) {
        if self.most / 2 <= self.young.len() && !self.young.contains_key(&key) {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_use_stays_and_the_rest_makes_room() {
        let mut memory = Generations::new(10);
        memory.insert("kept".to_owned(), 1);
        for n in 0..1_000 {
            memory.insert(format!("{n}"), n);
            assert_eq!(memory.get("kept"), Some(&mut 1), "after {n}");
            assert!(memory.young.len() + memory.old.len() <= 10);
        }
        assert_eq!(memory.get("1"), None);
        assert_eq!(memory.get("999"), Some(&mut 999));
    }

    #[test]
    fn a_new_value_replaces_the_one_before_in_whichever_generation() {
        let mut memory = Generations::new(4);
        (0..3).for_each(|n| memory.insert(n, 'a'));
        memory.insert(0, 'b');
        memory.insert(2, 'b');
        assert_eq!([0, 1, 2].map(|n| memory.get(&n).copied()), [Some('b'), Some('a'), Some('b')]);
    }
}
