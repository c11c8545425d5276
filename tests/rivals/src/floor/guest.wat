;; What a process does, at the least that a component can cost: the parts of `skep bench` by hand, with bytes for messages.
(component
  (import "send" (func $send (param "to" u64) (param "message" (list u8))))

  (core module $Memory
    (memory (export "memory") 1)
    ;; Whatever comes in is handled before the next thing comes, and lies in the same place.
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024)))
  (core instance $memory (instantiate $Memory))
  (alias core export $memory "memory" (core memory $bytes))
  (alias core export $memory "realloc" (core func $realloc))
  (core func $sends (canon lower (func $send) (memory $bytes) (realloc $realloc)))

  (core module $Main
    (import "host" "memory" (memory 1))
    (import "host" "send" (func $send (param i64 i32 i32)))
    ;; Who is outside: whoever waits for the work to be done.
    (global $outside i64 (i64.const -1))
    (global $next (mut i64) (i64.const -1))
    (global $expected (mut i64) (i64.const 0))

    (func (export "meet") (param $next i64) (global.set $next (local.get $next)))
    (func (export "expect") (param $number i64) (global.set $expected (local.get $number)))

    ;; One message, and nothing else.
    (func (export "once") (param i32 i32))

    ;; Passes a ball on that has passes left.
    (func (export "catch") (param $message i32) (param i32)
      (local $left i64)
      (local.set $left (i64.load (local.get $message)))
      (if (i64.eqz (local.get $left))
        (then (call $send (global.get $outside) (i32.const 2048) (i32.const 8)))
        (else
          (i64.store (i32.const 2048) (i64.sub (local.get $left) (i64.const 1)))
          (call $send (global.get $next) (i32.const 2048) (i32.const 8)))))

    ;; Sends so many drops to the next one.
    (func (export "pour") (param $message i32) (param i32)
      (local $left i64)
      (local.set $left (i64.load (local.get $message)))
      (loop $on
        (call $send (global.get $next) (i32.const 2048) (i32.const 8))
        (local.set $left (i64.sub (local.get $left) (i64.const 1)))
        (br_if $on (i64.ne (local.get $left) (i64.const 0)))))

    ;; Counts drops until all that it expects are there.
    (func (export "take") (param i32 i32)
      (global.set $expected (i64.sub (global.get $expected) (i64.const 1)))
      (if (i64.eqz (global.get $expected))
        (then (call $send (global.get $outside) (i32.const 2048) (i32.const 8)))))

    ;; A state of 64 bytes, of which the first eight are a number: made, and with something added to it.
    (func (export "start") (param $count i64) (result i32)
      (memory.fill (i32.const 1024) (i32.const 7) (i32.const 64))
      (i64.store (i32.const 1024) (local.get $count))
      (call $state))
    (func (export "add") (param $state i32) (param i32) (param $number i64) (result i32)
      (i64.store (local.get $state) (i64.add (i64.load (local.get $state)) (local.get $number)))
      (call $state))
    (func $state (result i32)
      (i32.store (i32.const 512) (i32.const 1024))
      (i32.store (i32.const 516) (i32.const 64))
      (i32.const 512)))
  (core instance $host (export "memory" (memory $bytes)) (export "send" (func $sends)))
  (core instance $main (instantiate $Main (with "host" (instance $host))))

  (func (export "meet") (param "next" u64) (canon lift (core func $main "meet")))
  (func (export "expect") (param "number" u64) (canon lift (core func $main "expect")))
  (func (export "once") (param "message" (list u8))
    (canon lift (core func $main "once") (memory $bytes) (realloc $realloc)))
  (func (export "catch") (param "message" (list u8))
    (canon lift (core func $main "catch") (memory $bytes) (realloc $realloc)))
  (func (export "pour") (param "message" (list u8))
    (canon lift (core func $main "pour") (memory $bytes) (realloc $realloc)))
  (func (export "take") (param "message" (list u8))
    (canon lift (core func $main "take") (memory $bytes) (realloc $realloc)))
  (func (export "start") (param "count" u64) (result (list u8))
    (canon lift (core func $main "start") (memory $bytes)))
  (func (export "add") (param "state" (list u8)) (param "number" u64) (result (list u8))
    (canon lift (core func $main "add") (memory $bytes) (realloc $realloc))))
