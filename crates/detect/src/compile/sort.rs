//! Sorting in little code. The standard library's sorts are quicker on long lists, but take up to nine kilobytes of a
//! filter for every type that they sort.

use alloc::{vec, vec::Vec};

/// Sorts in place by heap sort (J. W. J. Williams, Algorithm 232, 1964), in O(n log n) whatever comes. Not stable: where
/// equals can be told apart, `less` has to.
#[inline(never)]
pub fn sort_by<T>(items: &mut [T], less: impl Fn(&T, &T) -> bool) {
    if items.is_sorted_by(|a, b| !less(b, a)) {
        return;
    }
    let mut end = items.len();
    let mut start = end / 2;
    while end > 1 {
        if start > 0 {
            start -= 1;
        } else {
            end -= 1;
            items.swap(0, end);
        }
        sift(items.get_mut(..end).unwrap_or_default(), start, &less);
    }
}

/// Lets the item at `place` sink until none below it is greater.
fn sift<T>(heap: &mut [T], mut place: usize, less: &impl Fn(&T, &T) -> bool) {
    while let Some(left) = heap.get(2 * place + 1) {
        let right = heap.get(2 * place + 2).filter(|right| less(left, right));
        let (greater, child) = right.map_or((left, 2 * place + 1), |right| (right, 2 * place + 2));
        if !heap.get(place).is_some_and(|item| less(item, greater)) {
            break;
        }
        heap.swap(place, child);
        place = child;
    }
}

/// The items in the order of a digit below `base`, those with the same one in the order they came in; and where those
/// of each digit begin, with one place more for the end (counting sort: H. H. Seward, 1954). Items with a greater digit
/// are left out, and there are fewer than 2³².
pub fn by_digit<T: Copy>(items: &[T], base: usize, digit: impl Fn(&T) -> usize) -> (Vec<T>, Vec<u32>) {
    let mut starts = vec![0u32; base + 1];
    for item in items {
        if let Some(count) = starts.get_mut(digit(item) + 1) {
            *count += 1;
        }
    }
    let mut sum = 0;
    for start in &mut starts {
        sum += *start;
        *start = sum;
    }
    let mut sorted: Vec<T> = items.to_vec();
    let mut next = starts.clone();
    for item in items {
        if let Some(next) = next.get_mut(digit(item))
            && let Some(into) = sorted.get_mut(*next as usize)
        {
            *into = *item;
            *next += 1;
        }
    }
    sorted.truncate(sum as usize);
    (sorted, starts)
}

/// Sorts by a number, those with the same one in the order they came in (radix sort from the lowest byte on).
pub fn sort_by_number<T: Copy>(items: &mut Vec<T>, number: impl Fn(&T) -> u64) {
    for place in 0..size_of::<u64>() {
        let byte = |item: &T| number(item).to_le_bytes().get(place).copied().unwrap_or(0).into();
        if items.iter().any(|item| Some(byte(item)) != items.first().map(byte)) {
            (*items, _) = by_digit(items, 256, byte);
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;
    use core::cell::Cell;

    use super::*;

    /// Numbers in no order, of so many kinds.
    fn mixed(count: u32, kinds: u32) -> Vec<u32> {
        (0..count).map(|number| (number.wrapping_mul(0x9e37_79b1) >> 7) % kinds).collect()
    }

    #[test]
    fn lists_of_any_length_are_sorted_as_the_standard_library_sorts_them() {
        let mut moved = 0;
        for count in (0..70).chain([1000]) {
            for kinds in [1, 2, 7, u32::MAX] {
                let list = mixed(count, kinds);
                for list in [list.clone(), list.iter().rev().copied().collect()] {
                    let (mut ours, mut theirs) = (list.clone(), list.clone());
                    sort_by(&mut ours, |a, b| a < b);
                    theirs.sort_unstable();
                    assert_eq!(ours, theirs, "{list:?}");
                    moved += u32::from(ours != list);
                }
            }
        }
        assert!(moved > 300, "{moved}");
    }

    #[test]
    fn numbers_and_digits_are_sorted_and_equals_keep_their_order() {
        for kinds in [1, 7, 300, u32::MAX] {
            let items: Vec<_> = mixed(3000, kinds)
                .into_iter()
                .enumerate()
                .map(|(at, number)| (u64::from(number) << (number % 33), at))
                .collect();
            let (mut ours, mut theirs) = (items.clone(), items.clone());
            sort_by_number(&mut ours, |item| item.0);
            theirs.sort_by_key(|item| item.0);
            assert!(ours == theirs, "{kinds} kinds of number");
            let digit = |item: &(u64, usize)| usize::try_from(item.0 % 9).unwrap();
            let (ours, starts) = by_digit(&items, 9, digit);
            theirs = items;
            theirs.sort_by_key(digit);
            assert!(ours == theirs, "digits of {kinds} kinds of number");
            for (at, ends) in starts.windows(2).enumerate() {
                assert!(ours[ends[0] as usize..ends[1] as usize].iter().all(|item| digit(item) == at));
            }
            assert_eq!((starts.len(), starts.last()), (10, Some(&3000)));
        }
    }

    #[test]
    fn no_order_takes_more_than_n_log_n_comparisons() {
        let rising: Vec<u32> = (0..4096).collect();
        let falling: Vec<u32> = (0..4096).rev().collect();
        let organ: Vec<u32> = (0..2048).chain((0..2048).rev()).collect();
        for mut list in [rising, falling, organ, mixed(4096, u32::MAX), mixed(4096, 3)] {
            let compared = Cell::new(0);
            sort_by(&mut list, |a, b| {
                compared.set(compared.get() + 1);
                a < b
            });
            assert!(list.is_sorted());
            assert!(compared.get() <= 2 * 4096 * 13, "{}", compared.get());
        }
    }
}
