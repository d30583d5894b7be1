// Files that the build turns into assets.
declare module "*.css";
