;; What a process of RUSM does: the parts of `skep bench` by hand, on the interface that RUSM gives to components. Each entry
;; is a process; its first message says with whom it has to do.
(component
  (import "rusm:runtime/actor@0.1.0" (instance $actor
    (export "send" (func (param "to" u64) (param "message" (list u8))))
    (export "receive" (func (result (list u8))))))
  (alias export $actor "send" (func $send))
  (alias export $actor "receive" (func $receive))

  (core module $Memory
    (memory (export "memory") 1)
    ;; Whatever comes in is handled before the next thing comes, and lies in the same place.
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024)))
  (core instance $memory (instantiate $Memory))
  (alias core export $memory "memory" (core memory $bytes))
  (alias core export $memory "realloc" (core func $realloc))
  (core func $sends (canon lower (func $send) (memory $bytes) (realloc $realloc)))
  (core func $receives (canon lower (func $receive) (memory $bytes) (realloc $realloc)))

  (core module $Main
    (import "host" "memory" (memory 1))
    (import "host" "send" (func $send (param i64 i32 i32)))
    (import "host" "receive" (func $receive (param i32)))

    ;; The first and the second number of a message.
    (func $first (result i64) (call $receive (i32.const 512)) (i64.load (i32.const 1024)))
    (func $second (result i64) (i64.load (i32.const 1032)))
    (func $say (param $to i64) (param $number i64)
      (i64.store (i32.const 2048) (local.get $number))
      (call $send (local.get $to) (i32.const 2048) (i32.const 8)))

    ;; One message, and nothing else.
    (func (export "once") (drop (call $first)))

    ;; Passes a ball on that has passes left; at last, home.
    (func (export "catch")
      (local $next i64) (local $home i64) (local $left i64)
      (local.set $next (call $first))
      (local.set $home (call $second))
      (loop $on
        (local.set $left (call $first))
        (if (i64.eqz (local.get $left))
          (then (call $say (local.get $home) (i64.const 0)))
          (else (call $say (local.get $next) (i64.sub (local.get $left) (i64.const 1)))))
        (br $on)))

    ;; Sends so many drops to the next one.
    (func (export "pour")
      (local $next i64) (local $left i64)
      (local.set $next (call $first))
      (local.set $left (call $second))
      (loop $on
        (call $say (local.get $next) (i64.const 0))
        (local.set $left (i64.sub (local.get $left) (i64.const 1)))
        (br_if $on (i64.ne (local.get $left) (i64.const 0)))))

    ;; Counts drops until all that it expects are there, and tells home.
    (func (export "take")
      (local $home i64) (local $left i64)
      (local.set $home (call $first))
      (local.set $left (call $second))
      (loop $on
        (drop (call $first))
        (local.set $left (i64.sub (local.get $left) (i64.const 1)))
        (br_if $on (i64.ne (local.get $left) (i64.const 0))))
      (call $say (local.get $home) (i64.const 0)))

    ;; Keeps a number, tells home that it is there, and adds to it whatever comes.
    (func (export "wait")
      (local $home i64) (local $count i64)
      (local.set $home (call $first))
      (local.set $count (call $second))
      (call $say (local.get $home) (local.get $count))
      (loop $on
        (local.set $count (i64.add (local.get $count) (call $first)))
        (call $say (local.get $home) (local.get $count))
        (br $on)))

    ;; Tells home a number of Fibonacci.
    (func (export "fib")
      (local $home i64)
      (local.set $home (call $first))
      (call $say (local.get $home) (call $fib (i32.wrap_i64 (call $second)))))
    (func $fib (param $n i32) (result i64)
      (if (result i64) (i32.lt_u (local.get $n) (i32.const 2))
        (then (i64.extend_i32_u (local.get $n)))
        (else
          (i64.add
            (call $fib (i32.sub (local.get $n) (i32.const 1)))
            (call $fib (i32.sub (local.get $n) (i32.const 2))))))))
  (core instance $host
    (export "memory" (memory $bytes)) (export "send" (func $sends)) (export "receive" (func $receives)))
  (core instance $main (instantiate $Main (with "host" (instance $host))))

  (func (export "once") (canon lift (core func $main "once")))
  (func (export "catch") (canon lift (core func $main "catch")))
  (func (export "pour") (canon lift (core func $main "pour")))
  (func (export "take") (canon lift (core func $main "take")))
  (func (export "wait") (canon lift (core func $main "wait")))
  (func (export "fib") (canon lift (core func $main "fib"))))
