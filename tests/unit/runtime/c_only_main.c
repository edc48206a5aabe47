int runFromC(void);

int main(void) {
  return runFromC();
}
