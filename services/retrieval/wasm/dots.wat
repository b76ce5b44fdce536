;; Dot products of many int8 vectors with one int16 vector, 128 bits at a time (WebAssembly SIMD).
;; dots.wasm is made from this by `wat2wasm dots.wat` of the npm package wabt; a test makes sure that the two belong together.
(module
  (memory (export "memory") 20)
  ;; rows: address of the int8 vectors, one after the other, 16-byte aligned
  ;; count: how many of them, at least 1
  ;; columns: numbers of each, a multiple of 32
  ;; query: address of the int16 vector
  ;; out: address of `count` int32 sums
  (func (export "dots") (param $rows i32) (param $count i32) (param $columns i32) (param $query i32) (param $out i32)
    (local $end i32) (local $q i32) (local $v v128) (local $w v128) (local $a v128) (local $b v128)
    (loop $row
      (local.set $end (i32.add (local.get $rows) (local.get $columns)))
      (local.set $q (local.get $query))
      (local.set $a (v128.const i32x4 0 0 0 0))
      (local.set $b (v128.const i32x4 0 0 0 0))
      (loop $column
        (local.set $v (v128.load (local.get $rows)))
        (local.set $w (v128.load offset=16 (local.get $rows)))
        (local.set $a (i32x4.add (local.get $a)
          (i32x4.dot_i16x8_s (i16x8.extend_low_i8x16_s (local.get $v)) (v128.load (local.get $q)))))
        (local.set $b (i32x4.add (local.get $b)
          (i32x4.dot_i16x8_s (i16x8.extend_high_i8x16_s (local.get $v)) (v128.load offset=16 (local.get $q)))))
        (local.set $a (i32x4.add (local.get $a)
          (i32x4.dot_i16x8_s (i16x8.extend_low_i8x16_s (local.get $w)) (v128.load offset=32 (local.get $q)))))
        (local.set $b (i32x4.add (local.get $b)
          (i32x4.dot_i16x8_s (i16x8.extend_high_i8x16_s (local.get $w)) (v128.load offset=48 (local.get $q)))))
        (local.set $rows (i32.add (local.get $rows) (i32.const 32)))
        (local.set $q (i32.add (local.get $q) (i32.const 64)))
        (br_if $column (i32.lt_u (local.get $rows) (local.get $end))))
      (local.set $a (i32x4.add (local.get $a) (local.get $b)))
      (i32.store (local.get $out)
        (i32.add
          (i32.add (i32x4.extract_lane 0 (local.get $a)) (i32x4.extract_lane 1 (local.get $a)))
          (i32.add (i32x4.extract_lane 2 (local.get $a)) (i32x4.extract_lane 3 (local.get $a)))))
      (local.set $out (i32.add (local.get $out) (i32.const 4)))
      (local.set $count (i32.sub (local.get $count) (i32.const 1)))
      (br_if $row (local.get $count)))))
