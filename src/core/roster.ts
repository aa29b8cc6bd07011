// Who is in, in order of arrival: a Set for members that come and go by the thousand, each with a whole call
// behind it. V8 makes the table behind a Set anew every now and then, and once it is old, so is the next one;
// until a full collection the one before keeps alive whoever was in it. A linked list leaves nothing behind.

/** A member's place, by which it leaves. */
export interface Place<Member> {
  /** `undefined` once it has left. */
  member: Member | undefined;
  previous: Place<Member> | undefined;
  next: Place<Member> | undefined;
}

export class Roster<Member> {
  #first: Place<Member> | undefined;
  #last: Place<Member> | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(member: Member): Place<Member> {
    const place: Place<Member> = { member, previous: this.#last, next: undefined };
    if (this.#last === undefined) this.#first = place;
    else this.#last.next = place;
    this.#last = place;
    this.#size += 1;
    return place;
  }

  /** False if it has left already. */
  remove(place: Place<Member>): boolean {
    if (place.member === undefined) return false;
    const { previous, next } = place;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    place.member = undefined;
    place.previous = undefined;
    place.next = undefined;
    this.#size -= 1;
    return true;
  }

  /** The member that is visited may leave meanwhile, nobody else. Whoever comes meanwhile may be passed over. */
  *[Symbol.iterator](): Generator<Member> {
    let place = this.#first;
    while (place !== undefined) {
      const { member, next } = place;
      if (member !== undefined) yield member;
      // One that has left does not know any more who came after it.
      place = place.member === undefined ? next : place.next;
    }
  }
}
