import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addJunit, noTests } from '../../../../../activities/job/finish/junit.ts';
import { type TestSummary, testsText } from '../../../../../src/plan/model/outcome.ts';

function summary(...texts: string[]): TestSummary | undefined {
  const sum = noTests();
  return texts.map((text) => addJunit(sum, text)).every((found) => found === 'whole') ? sum : undefined;
}

describe('a JUnit report', () => {
  test('is summarised by its testcases, whatever its suites claim', () => {
    const text = `<?xml version="1.0"?><!DOCTYPE x><testsuites tests="99"><testsuite name="a>b" tests="99" failures="99">
      <testcase name="ok"/><testcase name="good"></testcase>
      <testcase name="bad"><failure message="1 < 2">trace</failure><system-out><![CDATA[<error/>]]></system-out></testcase>
      <testcase name="worse"><error/></testcase><testcase name='later "x>"'><skipped/></testcase>
      <!-- <testcase name="no"/> --></testsuite></testsuites>`;
    expect(summary(text)).toEqual({ total: 5, failed: 1, errored: 1, skipped: 1 });
  });
  test('of several files has one summary', () => {
    const one = '<testsuite><testcase/></testsuite>';
    expect(summary(one, one)).toEqual({ total: 2, failed: 0, errored: 0, skipped: 0 });
    expect(summary('<testsuites/>')).toEqual(noTests());
  });
  test('invalid text is recognised', () => {
    expect(summary('<html><testcase/></html>')).toBeUndefined();
    expect(summary('')).toBeUndefined();
  });
  test.each([
    '<testsuite><testcase name="a"/><testcase name="b">',
    '<testsuite><testcase name="a"/>',
    '<testsuites><testsuite><testcase/></testsuite>',
    '<testsuite><testcase name="a"/></testsuite><test',
    '<testsuite><testcase name="a"/></testsuite><!-- no end',
    '<testsuite><testcase name="a"><failure>text',
  ])('that ends in the middle is broken: %s', (text) => {
    expect(addJunit(noTests(), text)).toBe('broken');
  });
  test('any text is read in linear time and never throws', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('<', '>', '/', '"', 'testcase', '!--', ' ') }),
        (text) => {
          addJunit(noTests(), text);
        },
      ),
    );
    // Quadratic work on these would exceed the timeout of the test many times.
    addJunit(noTests(), '<testcase a="'.repeat(300_000));
    addJunit(noTests(), '<!--'.repeat(300_000));
  });
  test('has a readable summary', () => {
    expect(testsText({ total: 1, failed: 0, errored: 0, skipped: 0 })).toBe('1 test: all passed');
    expect(testsText({ total: 9, failed: 1, errored: 0, skipped: 2 })).toBe('9 tests: 1 failed, 2 skipped');
  });
});
